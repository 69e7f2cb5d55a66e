package tokenize

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// checkSplit holds splitObject against encoding/json.
func checkSplit(t *testing.T, data []byte) {
	t.Helper()
	var want map[string]json.RawMessage
	valid := json.Unmarshal(data, &want) == nil && want != nil
	got, err := parseObject("$", data)
	if (err == nil) != valid {
		t.Fatalf("%q: error %v, valid %t", data, err, valid)
	}
	if !valid {
		return
	}
	if len(got.fields) != len(want) {
		t.Fatalf("%q: %d fields, want %d", data, len(got.fields), len(want))
	}
	for name, raw := range want {
		if string(got.fields[name]) != string(raw) {
			t.Fatalf("%q: field %q = %q, want %q", data, name, got.fields[name], raw)
		}
	}
}

func TestObjectsAreSplitAsEncodingJSONDoes(t *testing.T) {
	for _, data := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":1,"b":[1,{"c":"]}"}],"d":{"e":"\"}"}}`, "{\n\t\"a\" : -1.5e+3 ,\r\n \"b\":null , \"c\":true}",
		`{"a":1,"a":2}`, `{"\u0061\n":"\\","":""}`, `{"é":"é","\ud800":"x"}`, `{"a":[[],[[]],{}]}`,
		``, `[]`, `null`, `3`, `"a"`, `{"a":}`, `{"a" 1}`, `{"a":1,}`, `{"a":1} x`, `{a:1}`, `{"a":"\x"}`, `{"a":01}`,
	} {
		checkSplit(t, []byte(data))
	}
}

func TestVocabulariesAreScanned(t *testing.T) {
	pieces, err := scanScored([]byte(` [ ["a", -1.5], ["\u0062\"",0] ,["é",2e1],["",-0.5] ] `))
	if want := []scoredPiece{{"a", -1.5}, {`b"`, 0}, {"é", 20}, {"", -0.5}}; err != nil || !reflect.DeepEqual(pieces, want) {
		t.Errorf("pieces = %v, %v", pieces, err)
	}
	ids, err := scanIDs([]byte(`{ "a":3 , "\t":0,"\ud83d\ude00": 7}`))
	if want := []vocabularyEntry{{"a", 3}, {"\t", 0}, {"😀", 7}}; err != nil || !reflect.DeepEqual(ids, want) {
		t.Errorf("ids = %v, %v", ids, err)
	}
	for _, c := range []struct{ data, want string }{
		{`{}`, "no array"}, {`[["a",1],3]`, "entry 1: 3 is no pair"}, {`[["a"]]`, `entry 0: ["a"] is no pair`},
		{`[["a",1,2]]`, "is no pair"}, {`[[1,"a"]]`, "is no pair"}, {`[["a","b"]]`, `"b" is no number`}, {`[["a",null]]`, "null is no number"},
		{`[["a",1e999]]`, "out of range"}, {`[{"a":1}]`, "is no pair"},
	} {
		if _, err := scanScored([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.data, err, c.want)
		}
	}
	for _, c := range []struct{ data, want string }{
		{`[]`, "no object"}, {`{"a":1.5}`, "entry 0: 1.5 is no id"}, {`{"a":1,"b":"c"}`, "entry 1"}, {`{"a":-1}`, `the id -1 of "a" is out of range`},
		{`{"a":null}`, "null is no id"},
	} {
		if _, err := scanIDs([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.data, err, c.want)
		}
	}
}

func TestOfEqualTextsTheLastCounts(t *testing.T) {
	tok := mustParse(t, `{"model":{"type":"WordLevel","unk_token":"a","vocab":{"a":0,"b":5,"a":3,"c":1}}}`)
	if id, ok := tok.TokenID("a"); id != 3 || !ok || tok.VocabSize() != 3 {
		t.Errorf("a = %d, %t, %d tokens", id, ok, tok.VocabSize())
	}
	tok = mustParse(t, `{"model":{"type":"Unigram","unk_id":0,"vocab":[["u",0],["a",-1],["a",-2]]}}`)
	if id, ok := tok.TokenID("a"); id != 2 || !ok {
		t.Errorf("a = %d, %t", id, ok)
	}
	if s, ok := tok.Token(1); s != "a" || !ok {
		t.Errorf("token 1 = %q, %t", s, ok)
	}
}

func FuzzObject(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":"\"]"}],"c":-1e5}`, `{"a":1,"a":null}`, ` { "\u00e9" : "x\\" } `, `{"a":[["x",1.5]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkSplit(t, data)
		o, err := parseObject("$", data)
		if err != nil {
			return
		}
		for _, raw := range o.fields {
			pieces, err := scanScored(raw)
			var want [][]json.RawMessage
			if err == nil && (json.Unmarshal(raw, &want) != nil || len(want) != len(pieces)) {
				t.Fatalf("%q gives %v", raw, pieces)
			}
			for i, p := range pieces {
				var text string
				if json.Unmarshal(want[i][0], &text) != nil || text != p.text {
					t.Fatalf("%q: piece %d is %q", raw, i, p.text)
				}
			}
			ids, err := scanIDs(raw)
			var byText map[string]int64
			if err == nil && json.Unmarshal(raw, &byText) != nil {
				t.Fatalf("%q gives %v", raw, ids)
			}
			last := map[string]int64{}
			for _, e := range ids {
				last[e.text] = e.id
			}
			if err == nil && len(last) > 0 && !reflect.DeepEqual(last, byText) {
				t.Fatalf("%q gives %v, want %v", raw, last, byText)
			}
		}
	})
}
