// Package tokenize reads a Hugging Face tokenizer.json (or a BERT vocab.txt) and gives for every text what Hugging
// Face's own library gives: ids, tokens, offsets, word ids, type ids and the special-token mask, for single texts,
// pairs and pre-split words, truncated or not.
//
// The pipeline is that of the file: added tokens are cut out of the text, a normaliser rewrites it while every byte
// keeps the span of the original that it came from, a pre-tokenizer splits it into words, a model turns each word into
// tokens, a post-processor adds special tokens. Each kind of component is an interface with a table of its types
// (normaliserTypes, preTokenizerTypes, modelTypes, postProcessorTypes, decoderTypes), so that a further type is a
// further file and a line in a table.
//
// Offsets come in bytes and in runes, half-open, and always point into the text as it was given. Text that is not valid
// UTF-8 is read as if each maximal ill-formed part were U+FFFD; byte offsets still count the given bytes, rune offsets
// count such a part as one rune.
//
// The library's behaviour is taken as found (version 0.23), with the Unicode version that each of its components has;
// testdata/tables.py derives those tables from it.
package tokenize
