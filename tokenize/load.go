package tokenize

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a tokenizer from a tokenizer.json, a vocab.txt, a SentencePiece model, or a folder that holds one of them
// (the first in this order). The two latter are read as tokenizer_config.json and its like beside them say: see
// ParseVocab and ParseSentencePiece. A vocab.txt without a tokenizer_config.json is taken for a cased BERT's.
func Load(path string) (*Tokenizer, error) {
	file, err := findFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading the tokenizer: %w", err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("loading the tokenizer: %w", err)
	}
	t, err := parseFile(file, data)
	if err != nil {
		return nil, fmt.Errorf("loading the tokenizer %s: %w", file, err)
	}
	return t, nil
}

// FileNames are the names of files that a folder's tokenizer is looked for in.
func FileNames() []string {
	return []string{
		"tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model", "spm.model", "sentencepiece.model",
		"tokenizer.model",
	}
}

// findFile returns the file of a folder, or the path itself if it is none.
func findFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return path, err
	}
	for _, name := range FileNames() {
		file := filepath.Join(path, name)
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return "", fmt.Errorf("%s holds none of %s", path, strings.Join(FileNames(), ", "))
}

// parseFile reads the content of a file by its name.
func parseFile(file string, data []byte) (*Tokenizer, error) {
	extension := filepath.Ext(file)
	if extension != ".txt" && extension != ".model" && extension != ".spm" {
		return Parse(data)
	}
	c, err := readTokenizerConfig(os.DirFS(filepath.Dir(file)))
	if err != nil {
		return nil, err
	}
	if extension == ".txt" {
		return parseVocab(data, c)
	}
	return parseSentencePiece(data, c)
}

// Parse reads the content of a tokenizer.json. Errors name the place in it.
func Parse(data []byte) (*Tokenizer, error) {
	o, err := parseObject("$", data)
	if err != nil {
		return nil, err
	}
	if v := "1.0"; o.decodeIf("version", &v) != nil || v != "1.0" {
		return nil, o.errorf("version", "only version 1.0 is known")
	}
	t := &Tokenizer{}
	if !o.has("model") {
		return nil, o.errorf("model", "there is no model")
	}
	if t.model, err = component(o, "model", newModel); err != nil {
		return nil, err
	}
	if t.normaliser, err = component(o, "normalizer", newNormaliser); err != nil {
		return nil, err
	}
	if t.preTokenizer, err = component(o, "pre_tokenizer", newPreTokenizer); err != nil {
		return nil, err
	}
	if t.decoder, err = component(o, "decoder", newDecoder); err != nil {
		return nil, err
	}
	post, err := component(o, "post_processor", newPostProcessor)
	if err != nil {
		return nil, err
	}
	t.plan(post)
	if t.padding, err = component(o, "padding", readPadding); err != nil {
		return nil, err
	}
	if t.truncation, err = component(o, "truncation", readTruncation); err != nil {
		return nil, err
	}
	var added []json.RawMessage
	if err := o.decodeIf("added_tokens", &added); err != nil {
		return nil, err
	}
	if t.added, err = readAdded(added, t.model, t.normaliser); err != nil {
		return nil, err
	}
	return t, nil
}

// component reads a component that may be missing or null.
func component[T any](o object, name string, make func(object) (T, error)) (T, error) {
	var none T
	if !o.has(name) {
		return none, nil
	}
	part, err := innerObject(o.path+"."+name, o.fields[name])
	if err != nil {
		return none, err
	}
	return make(part)
}

// plan asks the post-processor, which may be nil, what it does.
func (t *Tokenizer) plan(p postProcessor) {
	for _, pair := range []bool{false, true} {
		for _, noSpecial := range []bool{false, true} {
			t.plans[bit(pair)][bit(noSpecial)] = makePlan(p, pair, !noSpecial)
		}
		if p != nil {
			t.special[bit(pair)] = p.added(pair)
		}
	}
}
