package data

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// WriteIOB2 writes sentences as ReadIOB2 reads them: a token, a tab and a tag a line, a blank line after each
// sentence. It refuses what would not read back: words and tags of different number, a word that is empty, holds a
// tab, a line feed or invalid UTF-8, begins or ends with a space or a byte order mark, is too long, or is -DOCSTART-,
// and a tag that is illegal in its place. A refused sentence may leave others before it written.
func WriteIOB2(w io.Writer, sentences []Sentence) error {
	bw := bufio.NewWriter(w)
	for i, s := range sentences {
		if len(s.Words) == 0 || len(s.Words) != len(s.Tags) {
			return fmt.Errorf("writing sentence %d: it has %d words and %d tags", i, len(s.Words), len(s.Tags))
		}
		prev := Outside
		for j, word := range s.Words {
			tag := s.Tags[j]
			if !writable(word) || len(word)+len("\t")+len(tag) > MaxLine {
				return fmt.Errorf("writing sentence %d, word %d: %.40q cannot stand on a line of its own", i, j, word)
			}
			if !Continues(prev, tag) || !utf8.ValidString(tag) || strings.Trim(tag, byteOrderMark) != tag {
				return fmt.Errorf("writing sentence %d, word %d: the tag %q after %q is not IOB2", i, j, tag, prev)
			}
			prev = tag
			bw.WriteString(word)
			bw.WriteByte('\t')
			bw.WriteString(tag)
			bw.WriteByte('\n')
		}
		bw.WriteByte('\n')
	}
	if err := bw.Flush(); err != nil {
		return fmt.Errorf("writing sentences: %w", err)
	}
	return nil
}

func writable(word string) bool {
	return word != "" && word != docstart && utf8.ValidString(word) && !strings.ContainsAny(word, "\t\n") &&
		strings.Trim(word, " "+byteOrderMark) == word
}
