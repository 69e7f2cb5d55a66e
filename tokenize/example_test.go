package tokenize_test

import (
	"fmt"
	"log"

	"github.com/seed-aefebe89/graft/tokenize"
)

func ExampleParseVocab() {
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay\n##ing\nchess\n.\n"
	t, err := tokenize.ParseVocab([]byte(vocab), true)
	if err != nil {
		log.Fatal(err)
	}
	text := "Playing chess."
	e, err := t.Encode(text, tokenize.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for i, token := range e.Tokens {
		b := e.Bytes[i]
		fmt.Printf("%d %s %q word %d\n", e.IDs[i], token, text[b.Start:b.End], e.Words[i])
	}
	fmt.Println(t.Decode(e.IDs, true))
	// Output:
	// 2 [CLS] "" word -1
	// 5 play "Play" word 0
	// 6 ##ing "ing" word 0
	// 7 chess "chess" word 1
	// 8 . "." word 2
	// 3 [SEP] "" word -1
	// playing chess.
}

func ExampleTokenizer_EncodeWords() {
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nnew\nyork\nis\nbig\n"
	t, err := tokenize.ParseVocab([]byte(vocab), true)
	if err != nil {
		log.Fatal(err)
	}
	e, err := t.EncodeWords([]string{"New York", "is", "big"}, tokenize.Options{MaxLength: 5, Full: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Tokens, e.Words)
	fmt.Println(e.Overflow[0].Tokens, e.Overflow[0].Words)
	// Output:
	// [[CLS] new york is [SEP]] [-1 0 0 1 -1]
	// [[CLS] big [SEP]] [-1 2 -1]
}
