package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// vocabFolder makes a folder with a cased vocab.txt: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, a 5, b 6, ##c 7, é 8.
func vocabFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\né\n")
	return dir
}

// graftIn runs a command line on an input and returns what it prints.
func graftIn(input string, args ...string) (string, error) {
	var out bytes.Buffer
	c := command()
	c.SetIn(strings.NewReader(input))
	c.SetOut(&out)
	c.SetErr(&out)
	c.SetArgs(args)
	err := c.ExecuteContext(context.Background())
	return out.String(), err
}

func TestTokenizeShowsATable(t *testing.T) {
	dir := vocabFolder(t)
	want := `id  word  offsets  piece   text
2   -     -        [CLS]   
8   0     0-1      é       é
6   1     2-3      b       b
7   1     3-4      ##c     c
4   2     5-11     [MASK]  [MASK]
3   -     -        [SEP]   
`
	for _, path := range []string{dir, filepath.Join(dir, "vocab.txt")} {
		if out, err := graftIn("", "tokenize", path, "é bc [MASK]"); err != nil || out != want {
			t.Errorf("tokenize prints %s, %v", out, err)
		}
	}
	if out, err := graftIn("é bc [MASK]\n", "tokenize", dir); err != nil || out != want {
		t.Errorf("from standard input: %s, %v", out, err)
	}
	out, err := graftIn("", "tokenize", dir, "a b a", "--max-length", "2", "--stride", "0", "--no-special")
	if err != nil || strings.Count(out, "\n") != 3+1+2 || !strings.Contains(out, "overflow 1\n") {
		t.Errorf("with overflow: %s, %v", out, err)
	}
}

func TestTokenizeAnswersLinesOfJSON(t *testing.T) {
	dir := vocabFolder(t)
	for _, c := range []struct {
		args        []string
		input, want string
	}{
		{
			nil, `{"text":"é bc"}`,
			`{"ids":[2,8,6,7,3],"tokens":["[CLS]","é","b","##c","[SEP]"],"offsets":[[0,0],[0,1],[2,3],[3,4],[0,0]],` +
				`"byte_offsets":[[0,0],[0,2],[3,4],[4,5],[0,0]],"word_ids":[null,0,1,1,null],"type_ids":[0,0,0,0,0],` +
				`"special_tokens_mask":[1,0,0,0,1]}`,
		},
		{
			[]string{"--no-special"}, `{"text":"a","pair":"b","label":3}`,
			`{"ids":[5,6],"tokens":["a","b"],"offsets":[[0,1],[0,1]],"byte_offsets":[[0,1],[0,1]],"word_ids":[0,0],` +
				`"type_ids":[0,1],"special_tokens_mask":[0,0]}`,
		},
		{
			nil, `{"words":["a b","é"],"pair":["b"]}`,
			`{"ids":[2,5,6,8,3,6,3],"tokens":["[CLS]","a","b","é","[SEP]","b","[SEP]"],` +
				`"offsets":[[0,0],[0,1],[2,3],[0,1],[0,0],[0,1],[0,0]],"byte_offsets":[[0,0],[0,1],[2,3],[0,2],[0,0],[0,1],[0,0]],` +
				`"word_ids":[null,0,0,1,null,0,null],"type_ids":[0,0,0,0,0,1,1],"special_tokens_mask":[1,0,0,0,1,0,1]}`,
		},
		{
			[]string{"--max-length", "4", "--stride", "1"}, `{"text":"a b é"}`,
			`{"ids":[2,5,6,3],"tokens":["[CLS]","a","b","[SEP]"],"offsets":[[0,0],[0,1],[2,3],[0,0]],` +
				`"byte_offsets":[[0,0],[0,1],[2,3],[0,0]],"word_ids":[null,0,1,null],"type_ids":[0,0,0,0],` +
				`"special_tokens_mask":[1,0,0,1],"overflow":[{"ids":[2,6,8,3],"tokens":["[CLS]","b","é","[SEP]"],` +
				`"offsets":[[0,0],[2,3],[4,5],[0,0]],"byte_offsets":[[0,0],[2,3],[4,6],[0,0]],"word_ids":[null,1,2,null],` +
				`"type_ids":[0,0,0,0],"special_tokens_mask":[1,0,0,1]}]}`,
		},
		{
			[]string{"--max-length", "4", "--stride", "0", "--no-special"}, `{"text":""}`,
			`{"ids":[],"tokens":[],"offsets":[],"byte_offsets":[],"word_ids":[],"type_ids":[],"special_tokens_mask":[],"overflow":[]}`,
		},
		{[]string{"--decode"}, `[2,8,6,7,3]`, `{"text":"é bc"}`},
		{[]string{"--decode", "--keep-special"}, `[2,5]`, `{"text":"[CLS] a"}`},
	} {
		args := append([]string{"tokenize", "--jsonl", dir}, c.args...)
		// blank lines, line ends of either kind and a last line without one do not matter
		for _, input := range []string{c.input, "\n" + c.input + "\r\n\r\n"} {
			out, err := graftIn(input, args...)
			var got, want any
			if err != nil || json.Unmarshal([]byte(out), &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil ||
				!reflect.DeepEqual(got, want) {
				t.Errorf("%v on %q: %s, %v, want %s", c.args, input, out, err, c.want)
			}
			if strings.Count(out, "\n") != 1 {
				t.Errorf("%v on %q: not one line: %q", c.args, input, out)
			}
		}
	}
}

// Without --stride the limit is also where the library stops reading a text: two texts longer than it count as equally
// long, and the odd token is the second's. With it both are read to their ends, and the longer one keeps more.
func TestTokenizeCutsAsTheLibrary(t *testing.T) {
	dir := vocabFolder(t)
	line := fmt.Sprintf(`{"text":%q,"pair":%q}`, strings.Repeat("a ", 30), strings.Repeat("b ", 20))
	for _, c := range []struct {
		args  []string
		first int
	}{{nil, 4}, {[]string{"--stride", "0"}, 5}} {
		out, err := graftIn(line, append([]string{"tokenize", "--jsonl", "--max-length", "12", dir}, c.args...)...)
		var got tokenLine
		if err != nil || json.Unmarshal([]byte(out), &got) != nil || len(got.IDs) != 12 || got.IDs[c.first+1] != 3 {
			t.Errorf("%v: %s, %v, want %d tokens of the first text", c.args, out, err, c.first)
		}
	}
}

func TestTokenizeNamesTheBrokenLine(t *testing.T) {
	dir := vocabFolder(t)
	good := `{"text":"a"}` + "\n"
	for _, c := range []struct {
		args      []string
		bad, want string
	}{
		{nil, `{"text":`, "line 3: unexpected end of JSON input"},
		{nil, `{"txt":"a"}`, `line 3: neither "text" nor "words"`},
		{nil, `{"text":"a","words":["b"]}`, "line 3: "},
		{nil, `{"text":"a","pair":["b"]}`, "line 3: json"},
		{nil, `{"words":["a"],"pair":"b"}`, "line 3: json"},
		{nil, `{"text":7}`, "line 3: json"},
		{[]string{"--max-length", "1"}, `{"text":"a"}`, "line 1: truncating"},
	} {
		out, err := graftIn(good+"\n"+c.bad+"\n"+good, append([]string{"tokenize", "--jsonl", dir}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.bad, err, c.want)
		}
		if before := strings.HasPrefix(c.want, "line 3"); before != (strings.Count(out, "\n") == 1) {
			t.Errorf("%s: the lines before are not written: %q", c.bad, out)
		}
	}
	if _, err := graftIn("[2]\n[99]", "tokenize", dir, "--jsonl", "--decode"); err == nil || !strings.Contains(err.Error(), "line 2: no token has the id 99") {
		t.Error("an id that no token has:", err)
	}
}

func TestTokenizeDecodesIDs(t *testing.T) {
	dir := vocabFolder(t)
	for _, c := range []struct {
		args []string
		in   string
		want string
	}{
		{[]string{"2", "5", "6", "7", "3"}, "", "a bc\n"},
		{[]string{"2,5,6", "--keep-special"}, "", "[CLS] a b\n"},
		{nil, "5 6\n6, 7\n", "a b\nbc\n"},
	} {
		if out, err := graftIn(c.in, append([]string{"tokenize", "--decode", dir}, c.args...)...); err != nil || out != c.want {
			t.Errorf("%v: %q, %v, want %q", c.args, out, err, c.want)
		}
	}
}

func TestTokenizeTellsBadInputClearly(t *testing.T) {
	dir := vocabFolder(t)
	broken := filepath.Join(t.TempDir(), "spiece.model")
	write(t, broken, "no protobuf message")
	for want, args := range map[string][]string{
		"requires at least 1 arg":     {},
		"no such file":                {filepath.Join(dir, "nowhere")},
		"holds none of":               {t.TempDir()},
		"spiece.model":                {broken, "a"},
		"--stride is for":             {dir, "a", "--stride", "1"},
		"--max-length is -1":          {dir, "a", "--max-length", "-1"},
		"--stride is -1":              {dir, "a", "--max-length", "4", "--stride", "-1"},
		"--keep-special is for":       {dir, "a", "--keep-special"},
		"not for --decode":            {dir, "--decode", "5", "--no-special"},
		"--jsonl reads":               {dir, "--jsonl", "a"},
		`"x" is no id`:                {dir, "--decode", "x"},
		"no token has the id 99":      {dir, "--decode", "99"},
		"no token has the id -4":      {dir, "--decode", "--", "-4"},
		`"3000000000" is no id`:       {dir, "--decode", "3000000000"},
		"the stride 3 leaves nothing": {dir, "a", "--max-length", "4", "--stride", "3"},
	} {
		if out, err := graftIn("", append([]string{"tokenize"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("graft tokenize %v: %s, error %v, want one with %q", args, out, err, want)
		}
	}
}
