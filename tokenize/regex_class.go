package tokenize

import (
	"fmt"
	"strings"
	"unicode"
)

// wordByAccident are characters that \w matches outside of brackets in the library's regular expressions, though they
// are no word characters for it anywhere else.
var wordByAccident = ranges{{0xb2, 0xb3}, {0xb9, 0xb9}, {0xbc, 0xbe}}

// longCategories are the long names of general categories, without spaces, in lower case.
var longCategories = map[string]string{
	"other": "C", "control": "Cc", "cntrl": "Cc", "format": "Cf", "unassigned": "Cn", "privateuse": "Co", "surrogate": "Cs",
	"letter": "L", "casedletter": "LC", "lowercaseletter": "Ll", "modifierletter": "Lm", "otherletter": "Lo",
	"titlecaseletter": "Lt", "uppercaseletter": "Lu", "mark": "M", "combiningmark": "M", "spacingmark": "Mc",
	"enclosingmark": "Me", "nonspacingmark": "Mn", "number": "N", "decimalnumber": "Nd", "digit": "Nd",
	"letternumber": "Nl", "othernumber": "No", "punctuation": "P", "connectorpunctuation": "Pc", "dashpunctuation": "Pd",
	"closepunctuation": "Pe", "finalpunctuation": "Pf", "initialpunctuation": "Pi", "otherpunctuation": "Po",
	"openpunctuation": "Ps", "symbol": "S", "currencysymbol": "Sc", "modifiersymbol": "Sk", "mathsymbol": "Sm",
	"othersymbol": "So", "separator": "Z", "lineseparator": "Zl", "paragraphseparator": "Zp", "spaceseparator": "Zs",
}

// category returns the code points of a general category: "Lu", or all that begin with "L".
func category(name string) ranges {
	var out ranges
	for i, run := range categoryRuns {
		cat := categoryNames[run>>1&0x1f]
		if cat != name && !(len(name) == 1 && cat[:1] == name) && !(name == "LC" && (cat == "Lu" || cat == "Ll" || cat == "Lt")) {
			continue
		}
		out = append(out, runOf(i))
	}
	return out.normal()
}

// runOf returns the range of a run of categoryRuns, the first of which does not begin at 0.
func runOf(i int) runeRange {
	r := runeRange{rune(categoryRuns[i] >> 6), unicode.MaxRune}
	if i+1 < len(categoryRuns) {
		r.hi = rune(categoryRuns[i+1]>>6) - 1
	}
	return r
}

// alphabetic returns what has Unicode's Alphabetic property.
func alphabetic() ranges {
	out := append(category("L"), category("Nl")...)
	for i, run := range categoryRuns {
		if run&1 != 0 {
			out = append(out, runOf(i))
		}
	}
	return out.normal()
}

var whiteSpace = ranges{
	{9, 13}, {' ', ' '}, {0x85, 0x85}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
	{0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
}

var hexDigits = ranges{{'0', '9'}, {'A', 'F'}, {'a', 'f'}}

func wordCharacters() ranges {
	return alphabetic().union(category("M")).union(category("Nd")).union(category("Pc"))
}

// posixClass returns the set of a POSIX bracket by its name in lower case.
func posixClass(name string) (ranges, bool) {
	switch name {
	case "alpha":
		return alphabetic(), true
	case "alnum":
		return alphabetic().union(category("Nd")), true
	case "digit":
		return category("Nd"), true
	case "word":
		return wordCharacters(), true
	case "space":
		return whiteSpace, true
	case "blank":
		return category("Zs").union(ranges{{'\t', '\t'}}), true
	case "cntrl":
		return category("Cc"), true
	case "punct":
		return category("P").union(category("S")), true
	case "xdigit":
		return hexDigits, true
	case "ascii":
		return ranges{{0, 0x7f}}, true
	case "lower":
		return category("Ll").union(tableRanges(unicode.Other_Lowercase)), true
	case "upper":
		return category("Lu").union(tableRanges(unicode.Other_Uppercase)), true
	case "graph":
		return whiteSpace.union(category("Cc")).union(category("Cn")).union(ranges{{0xd800, 0xdfff}}).negate(), true
	case "print":
		graph, _ := posixClass("graph")
		return graph.union(category("Zs")), true
	}
	return nil, false
}

// property returns the set of \p{name}: a general category, a script, a POSIX bracket or another property of Unicode.
func property(name string) (ranges, error) {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(s))
	}
	short := plain(name)
	if long, ok := longCategories[short]; ok {
		return category(long), nil
	}
	for _, cat := range append(categoryNames[:], "C", "L", "LC", "M", "N", "P", "S", "Z", "Cs") {
		if plain(cat) == short {
			return category(cat), nil
		}
	}
	if set, ok := posixClass(short); ok {
		return set, nil
	}
	switch short {
	case "any":
		return ranges{{0, unicode.MaxRune}}, nil
	case "assigned":
		return category("Cn").negate(), nil
	case "alphabetic":
		return alphabetic(), nil
	case "lowercase":
		return property("lower")
	case "uppercase":
		return property("upper")
	case "whitespace":
		return whiteSpace, nil
	case "extendedpictographic":
		return pictographic(), nil
	}
	for _, tables := range []map[string]*unicode.RangeTable{unicode.Scripts, unicode.Properties} {
		for n, table := range tables {
			if plain(n) == short {
				return tableRanges(table), nil
			}
		}
	}
	return nil, fmt.Errorf("the property %q is not known", name)
}

// pictographic returns what has Unicode's Extended_Pictographic property.
func pictographic() ranges {
	var out ranges
	for i, run := range graphemeRuns {
		if run&0x1f == gcPictographic && i+1 < len(graphemeRuns) {
			out = append(out, runeRange{rune(run >> 5), rune(graphemeRuns[i+1]>>5) - 1})
		}
	}
	return out
}

// tableRanges turns a table of package unicode into a set.
func tableRanges(t *unicode.RangeTable) ranges {
	var out ranges
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			out = append(out, runeRange{lo, hi})
			return
		}
		for c := lo; c <= hi; c += stride {
			out = append(out, runeRange{c, c})
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return out.normal()
}
