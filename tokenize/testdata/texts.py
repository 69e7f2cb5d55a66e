"""Texts of our own that the recording scripts encode."""

TEXTS = [
    "", " ", "a", "The quick brown fox jumps over the lazy dog.", "  two  spaces,\tand a tab\nand a line ", "don't can't we'll it's",
    "Zażółć gęślą jaźń", "Tiếng Việt có dấu", "Straße ẞ ſ İstanbul ıI ŒUVRE", "e\u0301te\u0301 a\u0323\u0302 \u0344x q\u0307\u0323 \u1e69 \u0958",
    "ﬁne ﬂow Ⅷ ① ½ ㎏ ﷺ ℌ２ａ", "你好，世界！漢字とカナｶﾞ ガ", "안녕하세요 한국어 ᄒ\u1161\u11ab", "नमस्ते दुनिया क्षत्रिय", "สวัสดีชาวโลก น้ำ", "مَرْحَبًا بالعالم \u0640",
    "שָׁלוֹם עולם", "Привет, мир! Ёлка", "Γειά σου Κόσμε ΣΑΣ", "👩‍👩‍👧 🇫🇮 👍🏽 ❤️ 1️⃣", "x=1;y+=2*(3-4)/5_6 #tag @me $9.99 50%", "http://a.b/c?d=e&f=g",
    "tabs\t\tand\r\nlines\n\n\nend", "nul\0 bel\x07 esc\x1b del\x7f c1\x85 zwsp\u200b bom\ufeff soft\u00ad rep\ufffd", "nbsp\u00a0thin\u2009ideo\u3000line\u2028para\u2029",
    "12345 ١٢٣ १२३ Ⅳ² 3.14 1,000", "snake_case CamelCase kebab-case", "[CLS] in the [MASK] text [SEP]", "a[MASK]b <mask>  c<mask>", "foo Foo FOO foobar barfoo foo_ _foo foo-",
    "▁meta ▁▁space▁ ▁", "Ġbyte ĠĠlevel", "-the-final--countdown-", "aaaa aaaaaaaaaaaaaaaaaaaaaaaa", "a" * 120, "\u0301lonely mark \u200d joiner\u0301\u0301\u0301\u0301",
    "\r\n\r\n", "....", "«quoted» “text” – dash… ¿qué?", "𝒳𝓎𝔷 𐐀𐐨 😀", "ɐ\u0328\u0301 ʼn Ω K Å", "\u1100\u1161\u11a8\u0301 \u1100\u0301 각\u0301",
]
