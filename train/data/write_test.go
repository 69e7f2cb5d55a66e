package data_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/seed-aefebe89/graft/train/data"
)

func TestWriteIOB2Layout(t *testing.T) {
	var b strings.Builder
	err := data.WriteIOB2(&b, []data.Sentence{sentence(0, "Ada", "B-PER", "wrote", "O"), sentence(0, "#", "O")})
	if want := "Ada\tB-PER\nwrote\tO\n\n#\tO\n\n"; err != nil || b.String() != want {
		t.Errorf("got %q, error %v, want %q", b.String(), err, want)
	}
}

func TestWriteIOB2RefusesWhatWouldNotReadBack(t *testing.T) {
	tests := map[string]data.Sentence{
		"no words":            {},
		"missing tag":         {Words: []string{"a", "b"}, Tags: []string{"O"}},
		"empty word":          sentence(0, "", "O"),
		"tab":                 sentence(0, "a\tb", "O"),
		"line feed":           sentence(0, "a\nb", "O"),
		"leading space":       sentence(0, " a", "O"),
		"byte order mark":     sentence(0, "\ufeffa", "O"),
		"document mark":       sentence(0, "-DOCSTART-", "O"),
		"invalid UTF-8":       sentence(0, "\xff", "O"),
		"too long":            sentence(0, strings.Repeat("x", data.MaxLine-1), "O"),
		"not a tag":           sentence(0, "a", "PER"),
		"illegal I":           sentence(0, "a", "O", "b", "I-PER"),
		"a type with a space": sentence(0, "a", "B-X Y"),
		"an invalid type":     sentence(0, "a", "B-\xff"),
	}
	for name, s := range tests {
		t.Run(name, func(t *testing.T) {
			if err := data.WriteIOB2(io.Discard, []data.Sentence{s}); err == nil {
				t.Error("no error")
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestIOErrorsAreReturned(t *testing.T) {
	broken := errors.New("broken")
	if err := data.WriteIOB2(failing{broken}, []data.Sentence{sentence(0, "a", "O")}); !errors.Is(err, broken) {
		t.Errorf("writing: got %v", err)
	}
	r := io.MultiReader(strings.NewReader("a\tO\n"), &failingReader{broken})
	if _, err := data.ReadIOB2(r, "f", data.Options{}); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "f:2:") {
		t.Errorf("reading: got %v", err)
	}
}

type failingReader struct{ err error }

func (f *failingReader) Read([]byte) (int, error) { return 0, f.err }
