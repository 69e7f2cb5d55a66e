package tokenize

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// spmFile is what a SentencePiece model file (sentencepiece_model.proto) says that encoding and decoding need.
type spmFile struct {
	pieces       []spmPiece
	kind         uint64 // of the model: spmUnigramKind, …
	byteFallback bool
	suffix       bool // white space ends words instead of beginning them
	unknownID    int  // as the trainer wrote it, which the converters of transformers believe
	unknownPiece string
	surface      string // what an unknown token becomes in a decoded text
	normal       spmNormalSpec
	denormal     spmNormalSpec
}

// spmPiece is an entry of the vocabulary.
type spmPiece struct {
	text  string
	score float32
	kind  pieceKind
}

type pieceKind uint8

const (
	normalPiece      pieceKind = 1
	unknownPieceKind pieceKind = 2
	controlPiece     pieceKind = 3
	userPiece        pieceKind = 4 // user-defined: never cut, never normalised
	unusedPiece      pieceKind = 5
	bytePiece        pieceKind = 6
)

const (
	spmUnigramKind = 1
	spmBPEKind     = 2
)

// spmNormalSpec is the message NormalizerSpec.
type spmNormalSpec struct {
	charsmap          []byte
	dummyPrefix       bool // a text begins with a space
	removeExtraSpaces bool
	escapeSpaces      bool // a space becomes U+2581
}

const (
	spaceMark     = "\u2581"
	maxSPMPieces  = maxTrieKeys
	maxPieceBytes = 8000 // SentencePiece takes no longer ones
)

// readSPM decodes a model file. Errors name the field.
func readSPM(data []byte) (*spmFile, error) {
	spec := spmNormalSpec{dummyPrefix: true, removeExtraSpaces: true, escapeSpaces: true}
	f := &spmFile{kind: spmUnigramKind, unknownPiece: "<unk>", surface: " \u2047 ", normal: spec, denormal: spec}
	text := string(data) // one copy, of which the pieces are parts
	err := wireFields(data, func(w wireField) (err error) {
		switch w.num {
		case 1:
			if err = w.is(protowire.BytesType); err == nil {
				if len(f.pieces) >= maxSPMPieces {
					return fmt.Errorf("more than %d pieces", maxSPMPieces)
				}
				var p spmPiece
				p, err = readPiece(w.bytes, text[w.at:w.at+len(w.bytes)])
				f.pieces = append(f.pieces, p)
			}
			err = within(err, "pieces[%d]", max(0, len(f.pieces)-1))
		case 2:
			err = within(f.readTrainer(w), "trainer_spec")
		case 3:
			err = within(f.normal.read(w), "normalizer_spec")
		case 5:
			err = within(f.denormal.read(w), "denormalizer_spec")
		}
		return err
	})
	if err == nil && len(f.pieces) == 0 {
		err = fmt.Errorf("it has no pieces")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the SentencePiece model: %w", err)
	}
	return f, nil
}

// readPiece decodes a message SentencePiece; text is b again.
func readPiece(b []byte, text string) (spmPiece, error) {
	p := spmPiece{kind: normalPiece}
	err := wireFields(b, func(w wireField) (err error) {
		switch w.num {
		case 1:
			if err = w.is(protowire.BytesType); err == nil {
				p.text = text[w.at : w.at+len(w.bytes)]
			}
		case 2:
			if err = w.is(protowire.Fixed32Type); err == nil {
				p.score = math.Float32frombits(uint32(w.value))
			}
		case 3:
			if err = w.is(protowire.VarintType); err == nil && (w.value < 1 || w.value > 6) {
				err = fmt.Errorf("the type %d is not known", w.value)
			}
			p.kind = pieceKind(w.value)
		}
		return err
	})
	switch score := float64(p.score); {
	case err != nil:
	case p.text == "":
		err = fmt.Errorf("the piece is empty")
	case len(p.text) >= maxPieceBytes:
		err = fmt.Errorf("the piece has %d bytes, more than SentencePiece takes", len(p.text))
	case !utf8.ValidString(p.text):
		err = fmt.Errorf("the piece %.100q is no valid UTF-8", p.text)
	case math.IsNaN(score) || math.IsInf(score, 0):
		err = fmt.Errorf("the score of %.100q is %v", p.text, score)
	}
	return p, err
}

func (f *spmFile) readTrainer(w wireField) error {
	if err := w.is(protowire.BytesType); err != nil {
		return err
	}
	return wireFields(w.bytes, func(w wireField) (err error) {
		switch w.num {
		case 3:
			f.kind, err = w.value, w.is(protowire.VarintType)
		case 24:
			f.suffix, err = w.value != 0, w.is(protowire.VarintType)
		case 35:
			f.byteFallback, err = w.value != 0, w.is(protowire.VarintType)
		case 40:
			f.unknownID, err = int(int32(w.value)), w.is(protowire.VarintType)
		case 44:
			f.surface, err = string(w.bytes), w.is(protowire.BytesType)
		case 45:
			f.unknownPiece, err = string(w.bytes), w.is(protowire.BytesType)
		}
		return err
	})
}

func (s *spmNormalSpec) read(w wireField) error {
	if err := w.is(protowire.BytesType); err != nil {
		return err
	}
	return wireFields(w.bytes, func(w wireField) (err error) {
		switch w.num {
		case 2:
			s.charsmap, err = w.bytes, w.is(protowire.BytesType)
		case 3:
			s.dummyPrefix, err = w.value != 0, w.is(protowire.VarintType)
		case 4:
			s.removeExtraSpaces, err = w.value != 0, w.is(protowire.VarintType)
		case 5:
			s.escapeSpaces, err = w.value != 0, w.is(protowire.VarintType)
		}
		return err
	})
}

// wireField is a field of a protobuf message.
type wireField struct {
	num   protowire.Number
	typ   protowire.Type
	value uint64 // of a number
	bytes []byte // of what has a length
	at    int    // where bytes lies in the message
}

// is reports a field whose type on the wire is not the expected one.
func (w wireField) is(typ protowire.Type) error {
	if w.typ != typ {
		return fmt.Errorf("field %d has the wire type %d, not %d", w.num, w.typ, typ)
	}
	return nil
}

// wireFields calls visit for the fields of a message, groups left out.
func wireFields(b []byte, visit func(wireField) error) error {
	for at := 0; at < len(b); {
		num, typ, n := protowire.ConsumeTag(b[at:])
		if n < 0 {
			return fmt.Errorf("at byte %d: %w", at, protowire.ParseError(n))
		}
		at += n
		w := wireField{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			w.value, n = protowire.ConsumeVarint(b[at:])
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b[at:])
			w.value = uint64(v)
		case protowire.BytesType:
			w.bytes, n = protowire.ConsumeBytes(b[at:])
			w.at = at + n - len(w.bytes)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b[at:])
		}
		if n < 0 {
			return fmt.Errorf("field %d at byte %d: %w", num, at, protowire.ParseError(n))
		}
		at += n
		if typ != protowire.StartGroupType {
			if err := visit(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// within puts the place before an error.
func within(err error, place string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(place, args...), err)
}
