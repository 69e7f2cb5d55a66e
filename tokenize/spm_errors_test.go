package tokenize

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// protoMessage builds a protobuf message field by field.
type protoMessage []byte

func (m protoMessage) bytes(n protowire.Number, b string) protoMessage {
	return protowire.AppendString(protowire.AppendTag(m, n, protowire.BytesType), b)
}

func (m protoMessage) number(n protowire.Number, v uint64) protoMessage {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

func (m protoMessage) piece(text string, score float32, kind pieceKind) protoMessage {
	p := protoMessage{}.bytes(1, text)
	p = protowire.AppendFixed32(protowire.AppendTag(p, 2, protowire.Fixed32Type), math.Float32bits(score))
	return m.bytes(1, string(p.number(3, uint64(kind))))
}

// smallSPM is a model with the pieces <unk>, <s>, </s>, ▁a and a.
func smallSPM() protoMessage {
	return protoMessage{}.piece("<unk>", 0, unknownPieceKind).piece("<s>", 0, controlPiece).piece("</s>", 0, controlPiece).
		piece("▁a", -1, normalPiece).piece("a", -2, normalPiece)
}

func TestSentencePieceErrorsNameThePlace(t *testing.T) {
	small := string(smallSPM())
	for name, c := range map[string]struct{ data, class, want string }{
		"empty":            {"", "", "no pieces"},
		"text":             {"hello, this is no model\n", "", "reading the SentencePiece model"},
		"cut off":          {small[:len(small)-3], "", "unexpected EOF"},
		"wire type":        {string(protoMessage(small).number(1, 3)), "", "wire type 0"},
		"piece type":       {string(smallSPM().piece("b", 0, 9)), "", "pieces[5]: the type 9 is not known"},
		"empty piece":      {string(smallSPM().piece("", 0, 1)), "", "pieces[5]: the piece is empty"},
		"long piece":       {string(smallSPM().piece(strings.Repeat("a", 9000), 0, 1)), "", "9000 bytes"},
		"no UTF-8":         {string(smallSPM().piece("\xff", 0, 1)), "", "no valid UTF-8"},
		"not a number":     {string(smallSPM().piece("b", float32(math.NaN()), 1)), "", `the score of "b" is NaN`},
		"twice":            {string(smallSPM().piece("a", 0, 1)), "", `the piece "a" is there twice`},
		"control twice":    {string(smallSPM().piece("<s>", 0, controlPiece)), "", `pieces[5]: the piece "<s>" is there twice`},
		"two unknown":      {string(smallSPM().piece("<u>", 0, unknownPieceKind)), "", "both the unknown one"},
		"no unknown":       {string(protoMessage{}.piece("a", 0, 1)), "", "no piece is the unknown one"},
		"no bytes":         {string(smallSPM().bytes(2, string(protoMessage{}.number(35, 1)))), "", "no piece <0x00>"},
		"word model":       {string(smallSPM().bytes(2, string(protoMessage{}.number(3, 3)))), "", "WORD is neither UNIGRAM nor BPE"},
		"trainer":          {string(smallSPM().bytes(2, string(protoMessage{}.bytes(3, "x")))), "", "trainer_spec: field 3"},
		"charsmap":         {string(smallSPM().bytes(3, string(protoMessage{}.bytes(2, "abc")))), "", "normalizer_spec: precompiled_charsmap"},
		"other class":      {small, "LlamaTokenizer", "the class LlamaTokenizer"},
		"no special token": {small, "XLNetTokenizerFast", ""},
		"unknown id":       {string(smallSPM().bytes(2, string(protoMessage{}.number(40, 70)))), "AlbertTokenizer", "unknown piece 70"},
		"unknown piece":    {string(smallSPM().bytes(2, string(protoMessage{}.number(3, 2).bytes(45, "<u>")))), "T5Tokenizer", `unknown piece "<u>"`},
	} {
		_, err := ParseSentencePiece([]byte(c.data), c.class)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestClassSettingsAreChecked(t *testing.T) {
	for _, c := range []struct{ config, want string }{
		{`{"tokenizer_class":"T5Tokenizer","extra_ids":-1}`, "extra_ids: -1"},
		{`{"tokenizer_class":"T5Tokenizer","extra_ids":3,"additional_special_tokens":["<extra_id_0>"]}`, "names 1 of them"},
		{`{"tokenizer_class":"T5Tokenizer","legacy":3}`, "legacy"},
		{`{"tokenizer_class":"AlbertTokenizer","do_lower_case":"yes"}`, "do_lower_case"},
		{`{"tokenizer_class":"DebertaV2Tokenizer","split_by_punct":1}`, "split_by_punct"},
		{`{"tokenizer_class":"FNetTokenizer","cls_token":"<c>"}`, `no token "[CLS]"`},
	} {
		config, err := configOf(map[string]string{"tokenizer_config.json": c.config})
		if err == nil {
			_, err = parseSentencePiece(smallSPM(), config)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.config, err, c.want)
		}
	}
}

// A long run of unknown characters is one token, put together without copying it for each.
func TestUnknownCharactersAreOneToken(t *testing.T) {
	tok, err := ParseSentencePiece(smallSPM(), "")
	if err != nil {
		t.Fatal(err)
	}
	text := "a" + strings.Repeat("漢", 100000) + " a"
	e, err := tok.Encode(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Len() != 3 || e.Runes[1] != (Span{1, 100001}) || e.Words[2] != 1 || e.IDs[1] != 0 {
		t.Errorf("%d tokens, runes %v, words %v", e.Len(), e.Runes, e.Words)
	}
	if got := tok.Decode(e.IDs, true); got != "a \u2047  a" {
		t.Errorf("decoded %q", got)
	}
}
