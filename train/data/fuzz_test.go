package data_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/seed-aefebe89/graft/train/data"
)

// What is read is legal, and with the first and last column it reads back from WriteIOB2 as it was.
func FuzzReadIOB2(f *testing.F) {
	for _, seed := range []string{
		"Ada\tB-PER\nLovelace\tI-PER\n\n# c\nwrote O\r\n",
		"\ufeff-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\n",
		"en:a\tI-X\nen:b\tI-Y\n", "# \tO\n# x\tB-# \n", "\tO\n", "a\xff O", "a B-x\ufeff", " \ufeffa\tO", "a\r\tO\r\r\n",
	} {
		f.Add([]byte(seed), uint8(0), uint8(0), false, false)
		f.Add([]byte(seed), uint8(1), uint8(2), true, true)
	}
	f.Fuzz(func(t *testing.T, text []byte, token, tag uint8, strip, repair bool) {
		o := data.Options{TokenColumn: int(token), TagColumn: int(tag), StripLanguagePrefix: strip, Repair: repair}
		sentences, err := data.ReadIOB2(bytes.NewReader(text), "f", o)
		if err != nil {
			return
		}
		if data.Repaired(sentences) > 0 && !repair {
			t.Error("repaired without being told to")
		}
		line := 0
		for i := range sentences {
			s := &sentences[i]
			if len(s.Words) == 0 || len(s.Words) != len(s.Tags) || s.Line <= line {
				t.Fatalf("sentence %d: %+v", i, *s)
			}
			prev := data.Outside
			for j, tag := range s.Tags {
				if s.Words[j] == "" || !data.Continues(prev, tag) {
					t.Fatalf("sentence %d, word %d: %q with %q after %q", i, j, s.Words[j], tag, prev)
				}
				prev = tag
			}
			line = s.Line + len(s.Words) - 1
			s.Line, s.Repaired = 0, 0
		}
		if token != 0 || tag != 0 || strip {
			return
		}
		var b bytes.Buffer
		if err := data.WriteIOB2(&b, sentences); err != nil {
			t.Fatal(err)
		}
		again, err := data.ReadIOB2(&b, "again", data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			again[i].Line = 0
		}
		if !reflect.DeepEqual(sentences, again) {
			t.Errorf("read %+v\nback %+v", sentences, again)
		}
	})
}
