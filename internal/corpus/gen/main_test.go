package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-aefebe89/graft/internal/corpus"
	"github.com/seed-aefebe89/graft/internal/testutil"
	"github.com/seed-aefebe89/graft/train/data"
)

// The files that are kept are what the command writes now, and read without repair.
func TestKeptFilesAreUpToDate(t *testing.T) {
	kept, made := filepath.Join(testutil.Root(t), "testdata", "demo", "ner"), t.TempDir()
	if err := run(made); err != nil {
		t.Fatal(err)
	}
	for _, lang := range corpus.Languages() {
		for _, split := range corpus.Splits() {
			name := filepath.Join(lang, split+".iob2")
			want, err := os.ReadFile(filepath.Join(made, name))
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(kept, name))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs: run go run ./internal/corpus/gen", name)
			}
			s, err := data.ReadFile(filepath.Join(kept, name), data.Options{})
			if err != nil || len(s) != corpus.Size(lang, split) {
				t.Errorf("%s: %d sentences, error %v", name, len(s), err)
			}
		}
	}
	folders, err := filepath.Glob(filepath.Join(kept, "*", "*.iob2"))
	if err != nil || len(folders) != len(corpus.Languages())*len(corpus.Splits()) {
		t.Errorf("%d files are kept (error %v), %d languages are made", len(folders), err, len(corpus.Languages()))
	}
}

func TestRunNamesAFolderItCannotMake(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(file); err == nil {
		t.Error("no error")
	}
}
