package data

import (
	"errors"
	"fmt"
	"strings"
)

// splitColumns splits a line that is not blank at its tabs, or else at runs of spaces.
func splitColumns(line string) []string {
	var columns []string
	if strings.Contains(line, "\t") {
		columns = strings.Split(line, "\t")
	} else {
		columns = strings.FieldsFunc(line, func(c rune) bool { return c == ' ' })
	}
	for i, c := range columns {
		columns[i] = strings.Trim(c, " "+byteOrderMark)
	}
	return columns
}

// isToken tells whether a line that looks like a comment reads as a token line: its tag is one, and it has as many
// columns as the token lines before it. Where there are none, a tab or exactly two columns show it.
func (r *reader) isToken(line string, columns []string) bool {
	if r.columns > 0 && len(columns) != r.columns {
		return false
	}
	if r.columns == 0 && len(columns) != 2 && !strings.Contains(line, "\t") {
		return false
	}
	tag, err := r.column(columns, r.TagColumn, len(columns), "tag")
	if err != nil {
		return false
	}
	_, _, ok := SplitTag(tag)
	return ok
}

// column is the column counted from 1, or the one that 0 stands for.
func (r *reader) column(columns []string, column, zero int, what string) (string, error) {
	if column == 0 {
		column = zero
	}
	if column > len(columns) {
		return "", fmt.Errorf("the %s is to stand in column %d, but the line has %d", what, column, len(columns))
	}
	return columns[column-1], nil
}

// token takes the token and its tag from the columns of a line.
func (r *reader) token(columns []string) (word, tag string, err error) {
	if len(columns) < 2 {
		return "", "", fmt.Errorf("%q has no tag: a line is a token, a tab and a tag, and a blank line ends a sentence",
			columns[0])
	}
	if r.columns == 0 {
		r.columns = len(columns)
	}
	if len(columns) != r.columns {
		return "", "", fmt.Errorf("the line of %q has %d columns, the file's first token line %d: "+
			"part columns by tabs where tokens hold spaces", columns[0], len(columns), r.columns)
	}
	if word, err = r.column(columns, r.TokenColumn, 1, "token"); err != nil {
		return "", "", err
	}
	if tag, err = r.column(columns, r.TagColumn, len(columns), "tag"); err != nil {
		return "", "", err
	}
	if r.StripLanguagePrefix {
		if word, err = stripLanguagePrefix(word); err != nil {
			return "", "", err
		}
	}
	if word == "" {
		return "", "", errors.New("the token is empty: remove the line, or leave it blank to end a sentence")
	}
	// A copy, so that a word does not hold on to its whole line.
	return strings.Clone(word), tag, nil
}

// stripLanguagePrefix removes a Wikipedia language code and its colon: "en:", "zh-min-nan:", "be-x-old:".
func stripLanguagePrefix(word string) (string, error) {
	code, rest, ok := strings.Cut(word, ":")
	if ok && len(code) >= 2 && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz-") == "" && code[0] != '-' {
		return rest, nil
	}
	return "", fmt.Errorf("token %q has no language prefix such as \"en:\": read the file without stripping prefixes", word)
}
