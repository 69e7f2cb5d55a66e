package tokenize

import "strings"

// decoder turns tokens back into text.
type decoder interface {
	// decode rewrites the tokens; the text is what they are put together.
	decode(tokens []string) []string
}

// decoderTypes holds the constructor of every type of decoder.
func decoderTypes() map[string]func(object) (decoder, error) {
	return map[string]func(object) (decoder, error){
		"BPEDecoder":   newBPEDecoder,
		"ByteFallback": func(object) (decoder, error) { return byteFallback{}, nil },
		"ByteLevel":    newByteLevelDecoder,
		"CTC":          newCTC,
		"Fuse":         func(object) (decoder, error) { return fuse{}, nil },
		"Metaspace":    func(o object) (decoder, error) { return readMetaspace(o) },
		"Replace":      func(o object) (decoder, error) { return readReplace(o) },
		"Sequence":     newDecoderSequence,
		"Strip":        newStripDecoder,
		"WordPiece":    newWordPieceDecoder,
	}
}

func newDecoder(o object) (decoder, error) { return build(o, decoderTypes()) }

// decoderSequence applies several decoders in turn.
type decoderSequence []decoder

func newDecoderSequence(o object) (decoder, error) {
	list, err := buildList(o, "decoders", newDecoder)
	return decoderSequence(list), err
}

func (s decoderSequence) decode(tokens []string) []string {
	for _, d := range s {
		tokens = d.decode(tokens)
	}
	return tokens
}

// wordPieceDecoder joins continuing pieces and puts spaces before others.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func newWordPieceDecoder(o object) (decoder, error) {
	var d wordPieceDecoder
	var err error
	if d.prefix, err = o.text("prefix"); err != nil {
		return nil, err
	}
	d.cleanup, err = o.boolean("cleanup")
	return d, err
}

func (d wordPieceDecoder) decode(tokens []string) []string {
	for i, t := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(t, d.prefix); ok {
				t = rest
			} else {
				t = " " + t
			}
		}
		if d.cleanup {
			t = cleanup(t)
		}
		tokens[i] = t
	}
	return tokens
}

// cleanup undoes the spaces that BERT's English tokenisation puts before punctuation and contractions, one rule after
// another.
func cleanup(s string) string {
	if !strings.Contains(s, " ") {
		return s
	}
	for _, r := range [...][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return s
}

func (m metaspace) decode(tokens []string) []string {
	for i, t := range tokens {
		space := " "
		if i == 0 && m.scheme != "never" {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(t, m.mark, space)
	}
	return tokens
}

// Decode turns ids back into text. Ids that no token has are left out, and so are, if asked, special tokens.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if text, ok := t.Token(id); ok && !(skipSpecial && t.added.special[text]) {
			tokens = append(tokens, text)
		}
	}
	if t.decoder == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decoder.decode(tokens), "")
}
