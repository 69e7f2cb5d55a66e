package tokenize

import "unicode/utf8"

// trimLeftSpace returns the text without the white space that it begins with.
func trimLeftSpace(text []byte) []byte {
	for len(text) > 0 {
		r, w := utf8.DecodeRune(text)
		if !isSpace(r) {
			break
		}
		text = text[w:]
	}
	return text
}

// trimRightSpace returns the text without the white space that it ends with.
func trimRightSpace(text []byte) []byte {
	for len(text) > 0 {
		r, w := utf8.DecodeLastRune(text)
		if !isSpace(r) {
			break
		}
		text = text[:len(text)-w]
	}
	return text
}
