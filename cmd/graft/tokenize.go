package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/tokenize"
)

func tokenizeCommand() *cobra.Command {
	var o tokenizeOptions
	c := &cobra.Command{
		Use:   "tokenize TOKENIZER [TEXT …]",
		Short: "Show what a tokenizer makes of texts, or turn ids back into text",
		Long: `Show the tokens of the texts given, or of the lines of standard input: their ids, words, offsets in characters and
pieces. TOKENIZER is a tokenizer.json, a vocab.txt, a SentencePiece model, or a folder that holds one of them.

With --jsonl each line of standard input is an object {"text": "…"}, {"text": "…", "pair": "…"},
{"words": ["…"]} or {"words": ["…"], "pair": ["…"]}, and gives a line with ids, tokens, offsets (in characters;
of words in their word), byte_offsets, word_ids, type_ids and special_tokens_mask, and with --stride also overflow: what
--max-length cut off. With --decode the arguments are ids, or each line is an array of them and gives {"text": "…"}.
Padding and truncation that the tokenizer's file sets are not applied.`,
		Example: `  graft tokenize models/e5-small "Nelson Mandela is in Qunu gebore."
  graft tokenize --jsonl --max-length 128 --stride 16 models/e5-small < texts.jsonl > tokens.jsonl
  graft tokenize --decode models/e5-small 0 44084 2`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.overflow = c.Flags().Changed("stride")
			if err := o.check(len(args) - 1); err != nil {
				return err
			}
			t, err := tokenize.Load(args[0])
			if err != nil {
				return err
			}
			switch {
			case o.jsonl:
				return o.lines(t, c.InOrStdin(), c.OutOrStdout())
			case o.decode && len(args) > 1:
				return o.decodeTo(c.OutOrStdout(), t, strings.Join(args[1:], " "))
			case o.decode:
				return each(nil, c.InOrStdin(), func(ids string) error { return o.decodeTo(c.OutOrStdout(), t, ids) })
			}
			return each(args[1:], c.InOrStdin(), func(text string) error { return o.table(c.OutOrStdout(), t, text) })
		},
	}
	f := c.Flags()
	f.BoolVar(&o.jsonl, "jsonl", false, "read and write lines of JSON")
	f.IntVar(&o.MaxLength, "max-length", 0, "cut to so many tokens, special tokens included; 0 does not")
	f.IntVar(&o.Stride, "stride", 0, "show what was cut off too, in parts that repeat so many tokens")
	f.BoolVar(&o.NoSpecial, "no-special", false, "add no special tokens")
	f.BoolVar(&o.decode, "decode", false, "turn ids into text")
	f.BoolVar(&o.keepSpecial, "keep-special", false, "keep special tokens when decoding")
	return c
}

type tokenizeOptions struct {
	tokenize.Options
	jsonl, decode, keepSpecial, overflow bool
}

// check finds flags that do not go together.
func (o *tokenizeOptions) check(texts int) error {
	o.Full = o.overflow // else stop where the library does, at the limit
	switch {
	case o.MaxLength < 0:
		return fmt.Errorf("--max-length is %d, less than 0", o.MaxLength)
	case o.Stride < 0:
		return fmt.Errorf("--stride is %d, less than 0", o.Stride)
	case o.overflow && o.MaxLength == 0:
		return errors.New("--stride is for what --max-length cuts off, which is not given")
	case o.decode && (o.MaxLength > 0 || o.NoSpecial):
		return errors.New("--max-length, --stride and --no-special are not for --decode")
	case o.keepSpecial && !o.decode:
		return errors.New("--keep-special is for --decode")
	case o.jsonl && texts > 0:
		return errors.New("--jsonl reads standard input, but texts are given as arguments")
	}
	return nil
}

// tokenLine is an encoding as a line of JSON.
type tokenLine struct {
	IDs         []int32     `json:"ids"`
	Tokens      []string    `json:"tokens"`
	Offsets     [][2]int    `json:"offsets"`
	ByteOffsets [][2]int    `json:"byte_offsets"`
	WordIDs     []*int      `json:"word_ids"`
	TypeIDs     []int32     `json:"type_ids"`
	Mask        []int       `json:"special_tokens_mask"`
	Overflow    []tokenLine `json:"overflow,omitzero"`
}

func (o *tokenizeOptions) line(e *tokenize.Encoding) tokenLine {
	l := tokenLine{
		IDs: e.IDs, Tokens: e.Tokens, TypeIDs: e.TypeIDs, Offsets: make([][2]int, e.Len()), ByteOffsets: make([][2]int, e.Len()),
		WordIDs: make([]*int, e.Len()), Mask: make([]int, e.Len()),
	}
	for i := range e.Len() {
		l.Offsets[i] = [2]int{e.Runes[i].Start, e.Runes[i].End}
		l.ByteOffsets[i] = [2]int{e.Bytes[i].Start, e.Bytes[i].End}
		if e.Words[i] >= 0 {
			l.WordIDs[i] = &e.Words[i]
		}
		if e.SpecialMask[i] {
			l.Mask[i] = 1
		}
	}
	if o.overflow {
		l.Overflow = make([]tokenLine, len(e.Overflow))
		part := *o
		part.overflow = false
		for i, over := range e.Overflow {
			l.Overflow[i] = part.line(over)
		}
	}
	return l
}

// lines answers each line of r. What was answered before a line that is an error is written.
func (o *tokenizeOptions) lines(t *tokenize.Tokenizer, r io.Reader, w io.Writer) (err error) {
	in, out := bufio.NewReader(r), bufio.NewWriter(w)
	defer func() { err = errors.Join(err, out.Flush()) }()
	for number := 1; ; number++ {
		raw, end := in.ReadBytes('\n')
		if raw = bytes.TrimSpace(raw); len(raw) > 0 {
			answer, err := o.answer(t, raw)
			if err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
			if err := writeLine(out, answer); err != nil {
				return err
			}
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return fmt.Errorf("line %d: %w", number, end)
		}
	}
}

// answer encodes, or decodes, a line.
func (o *tokenizeOptions) answer(t *tokenize.Tokenizer, raw []byte) (any, error) {
	if o.decode {
		var ids []int32
		if err := json.Unmarshal(raw, &ids); err != nil {
			return nil, err
		}
		text, err := o.text(t, ids)
		return struct {
			Text string `json:"text"`
		}{text}, err
	}
	var in struct {
		Text  *string         `json:"text"`
		Words []string        `json:"words"`
		Pair  json.RawMessage `json:"pair"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, err
	}
	paired := len(in.Pair) > 0 && string(in.Pair) != "null"
	var e *tokenize.Encoding
	var err error
	switch {
	case (in.Text != nil) == (in.Words != nil):
		return nil, errors.New(`neither "text" nor "words", or both`)
	case in.Text != nil && paired:
		var pair string
		if err = json.Unmarshal(in.Pair, &pair); err == nil {
			e, err = t.EncodePair(*in.Text, pair, o.Options)
		}
	case in.Text != nil:
		e, err = t.Encode(*in.Text, o.Options)
	case paired:
		var pair []string
		if err = json.Unmarshal(in.Pair, &pair); err == nil {
			e, err = t.EncodeWordsPair(in.Words, pair, o.Options)
		}
	default:
		e, err = t.EncodeWords(in.Words, o.Options)
	}
	if err != nil {
		return nil, err
	}
	return o.line(e), nil
}

// decodeTo writes the text of ids that are parted by spaces or commas.
func (o *tokenizeOptions) decodeTo(w io.Writer, t *tokenize.Tokenizer, list string) error {
	var ids []int32
	for _, field := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" \t,", r) }) {
		id, err := strconv.ParseInt(field, 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no id", field)
		}
		ids = append(ids, int32(id))
	}
	text, err := o.text(t, ids)
	if err == nil {
		_, err = fmt.Fprintln(w, text)
	}
	return err
}

func (o *tokenizeOptions) text(t *tokenize.Tokenizer, ids []int32) (string, error) {
	for _, id := range ids {
		if _, ok := t.Token(id); !ok {
			return "", fmt.Errorf("no token has the id %d", id)
		}
	}
	return t.Decode(ids, !o.keepSpecial), nil
}

// table shows the tokens of a text.
func (o *tokenizeOptions) table(out io.Writer, t *tokenize.Tokenizer, text string) error {
	e, err := t.Encode(text, o.Options)
	if err != nil {
		return err
	}
	parts := []*tokenize.Encoding{e}
	if o.overflow {
		parts = append(parts, e.Overflow...)
	}
	for i, e := range parts {
		if i > 0 {
			fmt.Fprintf(out, "overflow %d\n", i)
		}
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprint(w, "id\tword\toffsets\tpiece\ttext\n")
		for k := range e.Len() {
			word, offsets, source := "-", "-", ""
			if e.Sequences[k] >= 0 {
				word, offsets = strconv.Itoa(e.Words[k]), fmt.Sprintf("%d-%d", e.Runes[k].Start, e.Runes[k].End)
				source = visible(text[e.Bytes[k].Start:e.Bytes[k].End])
			}
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", e.IDs[k], word, offsets, visible(e.Tokens[k]), source)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// visible quotes what cannot be seen in a table.
func visible(s string) string {
	if q := strconv.QuoteToGraphic(s); q != `"`+s+`"` || strings.TrimSpace(s) != s {
		return q
	}
	return s
}
