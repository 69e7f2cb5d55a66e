package tokenize

// spmClass is a class of transformers' tokenizers that are made of SentencePiece models: how its converter
// (convert_slow_tokenizer.py, version 4.57) lays the pieces out and what it puts around the model.
type spmClass struct {
	pieces     func(f *spmFile, c *tokenizerConfig) ([]scoredPiece, error)
	unknown    int // the id of the unknown piece, or none for what the file's trainer says
	normaliser func(charsmap normaliser, c *tokenizerConfig) (normaliser, error)
	scheme     func(c *tokenizerConfig) (string, error)                        // of U+2581 before texts; nil is always
	words      func(space metaspace, c *tokenizerConfig) (preTokenizer, error) // nil is space alone
	sentinels  bool                                                            // extra_ids says how many there are
	// defaults are the special tokens that are not set, by attribute; flags say how each is looked for
	defaults map[string]string
	flags    map[string]addedToken
	further  []string // the additional special tokens that are not set
	single   string   // the template of one text, as $A:0 [SEP]:0
	pair     string
}

// spmClasses holds the classes by their names without Fast.
func spmClasses() map[string]*spmClass {
	plain := addedToken{Special: true}
	before := addedToken{Special: true, LStrip: true}
	normalised := addedToken{Special: true, Normalised: true}
	bert := "[CLS]:0 $A:0 [SEP]:0"
	bertPair := "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1"
	bertTokens := func(unknown, pad string) map[string]string {
		return tokenNames("[CLS]", "[SEP]", unknown, "[SEP]", pad, "[CLS]", "[MASK]")
	}
	xlmr := tokenNames("<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>")
	t5 := &spmClass{
		pieces: t5Pieces, unknown: none, normaliser: spacesMarked,
		defaults: map[string]string{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
		flags:    map[string]addedToken{"eos_token": plain, "unk_token": plain, "pad_token": plain},
		scheme:   t5Scheme, sentinels: true, single: "$A:0 </s>:0", pair: "$A:0 </s>:0 $B:0 </s>:0",
	}
	return map[string]*spmClass{
		"AlbertTokenizer": {
			pieces: commaPieces, unknown: none, normaliser: quotesAndCase(true, false), defaults: bertTokens("<unk>", "<pad>"),
			flags: map[string]addedToken{"mask_token": before}, single: bert, pair: bertPair,
		},
		"BigBirdTokenizer": {
			pieces: ownPieces, unknown: none, normaliser: spacesMarked,
			defaults: tokenNames("<s>", "</s>", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"),
			flags: map[string]addedToken{
				"bos_token": normalised, "eos_token": normalised, "unk_token": normalised, "sep_token": normalised,
				"pad_token": normalised, "cls_token": normalised,
				"mask_token": {Special: true, LStrip: true, Normalised: true},
			},
			single: bert, pair: bertPair,
		},
		"CamembertTokenizer": {
			pieces: camembertPieces, unknown: 3, normaliser: spacesMarked, defaults: xlmr,
			flags:   map[string]addedToken{"mask_token": before},
			further: []string{"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"},
			single:  "<s>:0 $A:0 </s>:0", pair: "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0",
		},
		"DebertaV2Tokenizer": {
			pieces: ownPieces, unknown: none, normaliser: trimmedAndCase, words: punctuationApart,
			defaults: bertTokens("[UNK]", "[PAD]"),
			flags:    map[string]addedToken{"unk_token": normalised}, single: bert, pair: bertPair,
		},
		"FNetTokenizer": {
			pieces: commaPieces, unknown: none, normaliser: quotesAndCase(false, true),
			defaults: tokenNames("", "", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"),
			flags:    map[string]addedToken{"mask_token": before, "cls_token": plain, "sep_token": plain},
			single:   bert, pair: bertPair,
		},
		"MT5Tokenizer": t5,
		"RemBertTokenizer": {
			pieces: ownPieces, unknown: none, normaliser: spacesThenCase, defaults: bertTokens("[UNK]", "[PAD]"),
			flags:  map[string]addedToken{"mask_token": {Special: true, LStrip: true, Normalised: true}},
			single: bert, pair: bertPair,
		},
		"T5Tokenizer": t5,
		"XLMRobertaTokenizer": {
			pieces: xlmrPieces, unknown: 3, normaliser: spacesMarked, defaults: xlmr,
			flags:  map[string]addedToken{"mask_token": before},
			single: "<s>:0 $A:0 </s>:0", pair: "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0",
		},
		"XLNetTokenizer": {
			pieces: commaPieces, unknown: none, normaliser: quotesAndCase(false, false),
			defaults: tokenNames("<s>", "</s>", "<unk>", "<sep>", "<pad>", "<cls>", "<mask>"),
			flags:    map[string]addedToken{"mask_token": before}, further: []string{"<eop>", "<eod>"},
			single: "$A:0 <sep>:0 <cls>:2", pair: "$A:0 <sep>:0 $B:1 <sep>:1 <cls>:2",
		},
	}
}

// tokenNames sets the special tokens in the order of specialAttributes.
func tokenNames(names ...string) map[string]string {
	m := map[string]string{}
	for i, attribute := range specialAttributes() {
		m[attribute] = names[i]
	}
	return m
}

// spmModelTypes are the types of models in config.json whose tokenizers have a class of spmClasses.
var spmModelTypes = map[string]string{
	"albert": "AlbertTokenizer", "big_bird": "BigBirdTokenizer", "camembert": "CamembertTokenizer",
	"deberta-v2": "DebertaV2Tokenizer", "fnet": "FNetTokenizer", "longt5": "T5Tokenizer", "mt5": "MT5Tokenizer",
	"nystromformer": "AlbertTokenizer", "rembert": "RemBertTokenizer", "switch_transformers": "T5Tokenizer",
	"t5": "T5Tokenizer", "umt5": "T5Tokenizer", "xlm-roberta": "XLMRobertaTokenizer",
	"xlm-roberta-xl": "XLMRobertaTokenizer", "xlnet": "XLNetTokenizer", "xmod": "XLMRobertaTokenizer",
	"yoso": "AlbertTokenizer",
}

// otherSPMClasses are classes that also take SentencePiece models, but give other ids than the file's.
var otherSPMClasses = map[string]bool{
	"BarthezTokenizer": true, "BartphoTokenizer": true, "CodeLlamaTokenizer": true, "CpmTokenizer": true,
	"ErnieMTokenizer": true, "GemmaTokenizer": true, "GPTSw3Tokenizer": true, "LayoutXLMTokenizer": true,
	"LlamaTokenizer": true, "M2M100Tokenizer": true, "MarianTokenizer": true, "MBart50Tokenizer": true,
	"MBartTokenizer": true, "MLukeTokenizer": true, "NllbTokenizer": true, "PegasusTokenizer": true,
	"PLBartTokenizer": true, "ReformerTokenizer": true, "SeamlessM4TTokenizer": true, "SiglipTokenizer": true,
	"Speech2TextTokenizer": true, "UdopTokenizer": true, "XGLMTokenizer": true, "XLMProphetNetTokenizer": true,
}

// t5Scheme says where U+2581 is put before a text.
func t5Scheme(c *tokenizerConfig) (string, error) {
	prefix, err := c.fields.booleanOr("add_prefix_space", true)
	if err != nil || !prefix {
		return "never", err
	}
	legacy, err := c.fields.booleanOr("legacy", true)
	if !legacy {
		return "first", err
	}
	return "always", err
}

// punctuationApart makes punctuation words by themselves if split_by_punct says so.
func punctuationApart(space metaspace, c *tokenizerConfig) (preTokenizer, error) {
	punct, err := c.fields.booleanOr("split_by_punct", false)
	if err != nil || !punct {
		return space, err
	}
	flags := charFlags()
	isPunct := func(r rune) bool { return flags.at(r)&flagPunct != 0 }
	return preTokenizerSequence{runeSplit{isPunct, isolated}, space}, nil
}
