package tokenize

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// bpeDecoder turns the suffix that ends words into spaces, but for the last token's.
type bpeDecoder struct{ suffix string }

func newBPEDecoder(o object) (decoder, error) {
	s, err := o.text("suffix")
	return bpeDecoder{s}, err
}

func (d bpeDecoder) decode(tokens []string) []string {
	for i, t := range tokens {
		space := " "
		if i == len(tokens)-1 {
			space = ""
		}
		tokens[i] = strings.ReplaceAll(t, d.suffix, space)
	}
	return tokens
}

// ctc drops repetitions and padding (connectionist temporal classification).
type ctc struct {
	pad, delimiter string
	cleanup        bool
}

func newCTC(o object) (decoder, error) {
	var d ctc
	var err error
	if d.pad, err = o.text("pad_token"); err != nil {
		return nil, err
	}
	if d.delimiter, err = o.text("word_delimiter_token"); err != nil {
		return nil, err
	}
	d.cleanup, err = o.boolean("cleanup")
	return d, err
}

func (d ctc) decode(tokens []string) []string {
	out := tokens[:0]
	for i, last := 0, ""; i < len(tokens); i++ {
		t := tokens[i]
		if i > 0 && t == last {
			continue
		}
		last = t
		t = strings.ReplaceAll(t, d.pad, "")
		if d.cleanup {
			t = strings.ReplaceAll(cleanup(t), d.delimiter, " ")
		}
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// fuse joins all tokens to one.
type fuse struct{}

func (fuse) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// stripDecoder takes up to so many of a character off both ends of every token.
type stripDecoder struct {
	char        rune
	start, stop int
}

func newStripDecoder(o object) (decoder, error) {
	var d stripDecoder
	var start, stop uint32
	var err error
	if d.char, err = o.character("content"); err != nil {
		return nil, err
	}
	if err := o.decode("start", &start); err != nil {
		return nil, err
	}
	d.start = int(start)
	err = o.decode("stop", &stop)
	d.stop = int(stop)
	return d, err
}

func (d stripDecoder) decode(tokens []string) []string {
	for i, t := range tokens {
		start, stop := 0, len(t)
		for n := 0; n < d.start && start < len(t); n++ {
			r, w := utf8.DecodeRuneInString(t[start:])
			if r != d.char {
				break
			}
			start += w
		}
		for n := 0; n < d.stop && stop > 0; n++ {
			r, w := utf8.DecodeLastRuneInString(t[:stop])
			if r != d.char {
				break
			}
			stop -= w
		}
		tokens[i] = t[start:max(start, stop)]
	}
	return tokens
}

// byteFallback turns runs of tokens like <0xE2> into the text that the bytes are or, if they are none, U+FFFD for each.
type byteFallback struct{}

func (byteFallback) decode(tokens []string) []string {
	var out []string
	var bytes []byte
	flush := func() {
		if utf8.Valid(bytes) {
			if len(bytes) > 0 {
				out = append(out, string(bytes))
			}
		} else {
			for range bytes {
				out = append(out, "\uFFFD")
			}
		}
		bytes = bytes[:0]
	}
	for _, t := range tokens {
		if len(t) == 6 && strings.HasPrefix(t, "<0x") && t[5] == '>' {
			if b, err := strconv.ParseUint(strings.TrimPrefix(t[3:5], "+"), 16, 8); err == nil {
				bytes = append(bytes, byte(b))
				continue
			}
		}
		flush()
		out = append(out, t)
	}
	flush()
	return out
}
