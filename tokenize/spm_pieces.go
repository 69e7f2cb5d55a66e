package tokenize

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the converters of transformers make of a file's pieces, by class.

// ownPieces are the file's pieces as they are.
func ownPieces(f *spmFile, _ *tokenizerConfig) ([]scoredPiece, error) {
	return f.scored(nil, 0, 0), nil
}

// xlmrPieces put fairseq's first four tokens in place of the file's first three, and the mask at the end.
func xlmrPieces(f *spmFile, _ *tokenizerConfig) ([]scoredPiece, error) {
	list := []scoredPiece{{"<s>", 0}, {"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}}
	return append(f.scored(list, 3, 1), scoredPiece{"<mask>", 0}), nil
}

// camembertPieces put five tokens in place of the file's first, and the mask at the end.
func camembertPieces(f *spmFile, _ *tokenizerConfig) ([]scoredPiece, error) {
	list := []scoredPiece{{"<s>NOTUSED", 0}, {"<pad>", 0}, {"</s>NOTUSED", 0}, {"<unk>", 0}, {"<unk>NOTUSED", -100}}
	return append(f.scored(list, 1, 1), scoredPiece{"<mask>", 0}), nil
}

// maxSentinels bounds extra_ids.
const maxSentinels = 1 << 16

// t5Pieces put the sentinels behind the file's pieces, the last first.
func t5Pieces(f *spmFile, c *tokenizerConfig) ([]scoredPiece, error) {
	extra, err := c.number("extra_ids", 100, maxSentinels)
	list := f.scored(nil, 0, extra)
	for i := extra - 1; i >= 0; i-- {
		list = append(list, scoredPiece{fmt.Sprintf("<extra_id_%d>", i), 0})
	}
	return list, err
}

// commaPieces make pieces that end with a digit and a comma improbable.
func commaPieces(f *spmFile, _ *tokenizerConfig) ([]scoredPiece, error) {
	list := f.scored(nil, 0, 0)
	for i, p := range list {
		if before, ok := strings.CutSuffix(p.text, ","); ok && before != "" {
			if r, _ := utf8.DecodeLastRuneInString(before); isDigit(r) {
				list[i].score -= 100
			}
		}
	}
	return list, nil
}

// isDigit reports what Python's str.isdigit does: decimal digits and other characters whose Numeric_Type is Digit.
func isDigit(r rune) bool {
	if unicode.IsDigit(r) {
		return true
	}
	for _, span := range [...][2]rune{
		{0xb2, 0xb3}, {0xb9, 0xb9}, {0x1369, 0x1371}, {0x19da, 0x19da}, {0x2070, 0x2070}, {0x2074, 0x2079},
		{0x2080, 0x2089}, {0x2460, 0x2468}, {0x2474, 0x247c}, {0x2488, 0x2490}, {0x24ea, 0x24ea}, {0x24f5, 0x24fd},
		{0x24ff, 0x24ff}, {0x2776, 0x277e}, {0x2780, 0x2788}, {0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68},
		{0x11052, 0x1105a}, {0x1f100, 0x1f10a},
	} {
		if r >= span[0] && r <= span[1] {
			return true
		}
	}
	return false
}

// scored appends the pieces from the given one on, with room for more of them.
func (f *spmFile) scored(list []scoredPiece, from, more int) []scoredPiece {
	rest := f.pieces[min(from, len(f.pieces)):]
	all := make([]scoredPiece, len(list), len(list)+len(rest)+more)
	copy(all, list)
	for _, p := range rest {
		all = append(all, scoredPiece{p.text, float64(p.score)})
	}
	return all
}
