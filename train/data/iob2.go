package data

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// docstart parts the documents of CoNLL-2002 and CoNLL-2003 files.
const docstart = "-DOCSTART-"

// byteOrderMark stands at the start of some UTF-8 files, and at the seams where such files were joined.
const byteOrderMark = "\ufeff"

// ReadFile reads the IOB2 file at path, see ReadIOB2.
func ReadFile(path string, o Options) ([]Sentence, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading sentences: %w", err)
	}
	defer f.Close()
	return ReadIOB2(f, path, o)
}

// ReadIOB2 reads sentences with one token and its tag a line and a blank line after each sentence. Errors begin with
// name and the line's number.
//
// Columns are parted by tabs, or by runs of spaces on a line without a tab, and each token line has as many as the
// first. Tags are O, B-type and I-type, where I-type continues an entity of its type. A line that starts with "# "
// before a sentence is a comment, as in CoNLL-U, unless it reads as a token line: "#" with a tag is a token. Lines
// that begin with the token -DOCSTART- are skipped and end a sentence. Byte order marks, carriage returns and trailing
// spaces are dropped; the text is UTF-8 with lines of at most MaxLine bytes.
func ReadIOB2(r io.Reader, name string, o Options) ([]Sentence, error) {
	if o.TokenColumn < 0 || o.TagColumn < 0 {
		return nil, fmt.Errorf("reading %s: token column %d, tag column %d: columns are counted from 1",
			name, o.TokenColumn, o.TagColumn)
	}
	rd := reader{Options: o, tags: map[string]string{}}
	sc := bufio.NewScanner(r)
	// The scanner needs room for the line's end too, and a little more to see that a line is too long.
	sc.Buffer(make([]byte, 0, 64<<10), MaxLine+64)
	for sc.Scan() {
		rd.line++
		if err := rd.add(sc.Bytes()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, rd.line, err)
		}
	}
	if err := sc.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = errTooLong
		}
		return nil, fmt.Errorf("%s:%d: %w", name, rd.line+1, err)
	}
	rd.end()
	return rd.sentences, nil
}

var (
	errTooLong = fmt.Errorf("the line is longer than %d bytes: is this a text file with one token a line?", MaxLine)
	errUTF8    = errors.New("the line is not valid UTF-8: convert the file to UTF-8")
)

// reader gathers sentences line by line.
type reader struct {
	Options
	sentences []Sentence
	current   Sentence
	line      int
	columns   int               // of the first token line; 0 before it
	tags      map[string]string // one copy of each tag
}

// end closes the current sentence.
func (r *reader) end() {
	if len(r.current.Words) > 0 {
		r.sentences = append(r.sentences, r.current)
		r.current = Sentence{}
	}
}

// add reads one line, without its end.
func (r *reader) add(raw []byte) error {
	if len(raw) > MaxLine {
		return errTooLong
	}
	if !utf8.Valid(raw) {
		return errUTF8
	}
	line := strings.TrimRight(strings.TrimLeft(string(raw), byteOrderMark), " \t\r")
	if line == "" {
		r.end()
		return nil
	}
	columns := splitColumns(line)
	if columns[0] == docstart {
		r.end()
		return nil
	}
	if len(r.current.Words) == 0 && strings.HasPrefix(line, "# ") && !r.isToken(line, columns) {
		return nil
	}
	word, tag, err := r.token(columns)
	if err != nil {
		return err
	}
	return r.append(word, tag)
}

// append adds a word to the current sentence once its tag is known to be legal there.
func (r *reader) append(word, tag string) error {
	prefix, entity, ok := SplitTag(tag)
	if !ok {
		return fmt.Errorf("token %q has the tag %q: a tag is O, B-type or I-type; does the tag stand in another column?",
			word, tag)
	}
	prev := Outside
	if n := len(r.current.Tags); n > 0 {
		prev = r.current.Tags[n-1]
	}
	if prefix == 'I' && !Continues(prev, tag) {
		if !r.Repair {
			return fmt.Errorf("token %q has the tag %s after %s: an entity starts with B-%s; correct it or read with repair",
				word, tag, prev, entity)
		}
		tag = "B-" + entity
		r.current.Repaired++
	}
	if len(r.current.Words) == 0 {
		r.current.Line = r.line
	}
	r.current.Words = append(r.current.Words, word)
	r.current.Tags = append(r.current.Tags, r.intern(tag))
	return nil
}

// intern returns the one kept copy of tag, so that tags do not hold on to their lines.
func (r *reader) intern(tag string) string {
	if kept, ok := r.tags[tag]; ok {
		return kept
	}
	tag = strings.Clone(tag)
	r.tags[tag] = tag
	return tag
}
