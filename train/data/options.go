package data

// MaxLine is the longest line that a reader takes, in bytes without its end.
const MaxLine = 1 << 20

// Options say how a file of columns is read. The zero value reads the token from the first column and the tag from the
// last, and refuses tags that are not IOB2.
type Options struct {
	// TokenColumn is the token's column, counted from 1; 0 means the first.
	TokenColumn int
	// TagColumn is the tag's column, counted from 1; 0 means the last.
	TagColumn int
	// StripLanguagePrefix removes WikiANN's language code from each token ("en:London" becomes "London"). A token
	// without one is an error.
	StripLanguagePrefix bool
	// Repair turns an I-X that continues no X into B-X and counts it in Sentence.Repaired. It reads the older IOB1
	// scheme exactly: there B-X only parts neighbours of one type, and each other entity starts with I-X.
	Repair bool
}
