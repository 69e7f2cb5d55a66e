// Command gen writes the demo corpus: <out>/<language>/{train,dev,test}.iob2.
//
//	go run ./internal/corpus/gen -out testdata/demo/ner
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-aefebe89/graft/internal/corpus"
	"github.com/seed-aefebe89/graft/train/data"
)

func main() {
	out := flag.String("out", "testdata/demo/ner", "the folder to write to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	for _, lang := range corpus.Languages() {
		dir := filepath.Join(out, lang)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, split := range corpus.Splits() {
			sentences, err := corpus.Generate(lang, split, corpus.Size(lang, split), corpus.Seed)
			if err != nil {
				return err
			}
			var b bytes.Buffer
			if err := data.WriteIOB2(&b, sentences); err != nil {
				return fmt.Errorf("%s, %s: %w", lang, split, err)
			}
			if err := os.WriteFile(filepath.Join(dir, split+".iob2"), b.Bytes(), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
