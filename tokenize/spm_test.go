package tokenize

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// spmFolder is a line of testdata/spm.jsonl.gz, made by testdata/record_spm.py: a model, or a folder that holds one.
type spmFolder struct {
	Name  string
	Model []byte

	Use   int    // the number of the model
	Path  string // of the model in the folder
	Files map[string]json.RawMessage
	Load  string // what is loaded: the folder, or a file in it
	Cases []struct {
		A, B   json.RawMessage // a text or a list of words
		Bare   bool            // without special tokens
		Want   reference
		Dec    *string
		Decode []int32 // what Dec is the text of, if not Want's ids
		Keep   bool    // special tokens are decoded
	}
}

// spmFolders reads the recordings: models, and the folders that use them.
var spmFolders = sync.OnceValues(func() (models [][]byte, folders []spmFolder) {
	lines, err := packedLines("testdata/spm.jsonl.gz")
	if err != nil {
		panic(err)
	}
	for _, line := range lines {
		var f spmFolder
		if err := json.Unmarshal(line, &f); err != nil {
			panic(err)
		}
		if f.Name == "model" {
			models = append(models, f.Model)
		} else {
			folders = append(folders, f)
		}
	}
	return models, folders
})

// write makes the folder and returns what is to be loaded.
func (f *spmFolder) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	models, _ := spmFolders()
	files := map[string][]byte{f.Path: models[f.Use]}
	for name, content := range f.Files {
		files[name] = content
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, f.Load)
}

func TestSentencePieceModelsEqualRecordedAnswers(t *testing.T) {
	_, folders := spmFolders()
	for _, f := range folders {
		t.Run(f.Name, func(t *testing.T) {
			tok, err := Load(f.write(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Cases {
				a, b := readInput(t, c.A), readInput(t, c.B)
				what := fmt.Sprintf("%.200s / %.200s", c.A, c.B)
				e, err := encodeInputs(tok, a, b, Options{NoSpecial: c.Bare})
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				var texts []string
				if a.isText {
					texts = []string{a.text, b.text}
					checkSound(t, tok, e, texts...)
				}
				c.Want.checkAll(t, what, e, texts...)
				if c.Dec == nil {
					continue
				}
				ids := c.Want.IDs
				if c.Decode != nil {
					ids = c.Decode
				}
				if got := tok.Decode(ids, !c.Keep); got != *c.Dec {
					t.Errorf("decoding %v of %s = %q, want %q", ids, what, got, *c.Dec)
				}
			}
		})
	}
}
