package tokenize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// tokenizerConfig is what the files beside a vocabulary say about the tokenizer: tokenizer_config.json, config.json and,
// where the first has no added_tokens_decoder, special_tokens_map.json and added_tokens.json.
type tokenizerConfig struct {
	class  string // of transformers, without Fast; empty if none is named
	given  bool   // there is a tokenizer_config.json
	fields object // its fields
	// tokens are the special tokens that are set, by attribute: mask_token and so on
	tokens map[string]configToken
	// further are the additional special tokens; nil if they are not set
	further []configToken
	// added are further added tokens, in the order of their ids
	added []addedToken
}

// specialAttributes are the attributes of special tokens in the order in which transformers adds them.
func specialAttributes() []string {
	return []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}
}

// configToken is a special token as a string, or as an object with flags of its own.
type configToken struct {
	addedToken
	flagged bool
	normal  *bool // the flag normalized, if it is there
}

// UnmarshalJSON reads a string or an object.
func (t *configToken) UnmarshalJSON(raw []byte) error {
	*t = configToken{}
	if bytes.HasPrefix(raw, []byte(`"`)) {
		return json.Unmarshal(raw, &t.Content)
	}
	v := struct {
		*addedToken
		Normalised *bool `json:"normalized"`
	}{addedToken: &t.addedToken}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	t.flagged, t.normal = true, v.Normalised
	t.settle(false)
	return nil
}

// settle makes the token a special one if asked. Unless it says so, a special token is not looked for in normalised text,
// but any other is.
func (t *configToken) settle(special bool) {
	t.Special = t.Special || special
	t.Normalised = t.flagged && !t.Special
	if t.normal != nil {
		t.Normalised = *t.normal
	}
}

// readTokenizerConfig reads the files of a folder, each of which may be missing.
func readTokenizerConfig(dir fs.FS) (*tokenizerConfig, error) {
	c := &tokenizerConfig{tokens: map[string]configToken{}}
	var err error
	if c.fields, c.given, err = readConfigFile(dir, "tokenizer_config.json"); err != nil {
		return nil, err
	}
	model, _, err := readConfigFile(dir, "config.json")
	if err != nil {
		return nil, err
	}
	if c.class, err = configClass(c.fields, model); err != nil {
		return nil, err
	}
	if err := c.readSpecial(c.fields, false); err != nil {
		return nil, err
	}
	if c.fields.has("added_tokens_decoder") {
		return c, c.readDecoder()
	}
	special, ok, err := readConfigFile(dir, "special_tokens_map.json")
	if err == nil && ok {
		err = c.readSpecial(special, true)
	}
	if err != nil {
		return nil, err
	}
	return c, c.readAdded(dir)
}

// readConfigFile reads an object that may be missing.
func readConfigFile(dir fs.FS, name string) (o object, ok bool, err error) {
	data, err := fs.ReadFile(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return object{path: name}, false, nil
	}
	if err == nil {
		o, err = parseObject(name, data)
	}
	return o, err == nil, err
}

// configClass returns the class of the tokenizer, by its name or by the type of the model.
func configClass(tokenizer, model object) (class string, err error) {
	for _, o := range []object{tokenizer, model} {
		if err := o.decodeIf("tokenizer_class", &class); err != nil {
			return "", err
		}
		class = strings.TrimSuffix(class, "Fast")
		if class != "" && class != "PreTrainedTokenizer" { // which is any
			return class, nil
		}
	}
	var kind string
	err = model.decodeIf("model_type", &kind)
	return spmModelTypes[kind], err
}

// readSpecial reads the special tokens of a file; marked says that objects in it are special tokens without saying so.
func (c *tokenizerConfig) readSpecial(o object, marked bool) error {
	for _, name := range specialAttributes() {
		if !o.has(name) {
			continue
		}
		var t configToken
		if err := o.decode(name, &t); err != nil {
			return err
		}
		t.settle(marked)
		c.tokens[name] = t
	}
	var further []configToken
	if !o.has("additional_special_tokens") {
		return nil
	}
	if err := o.decode("additional_special_tokens", &further); err != nil {
		return err
	}
	if c.further == nil {
		c.further = []configToken{}
	}
	for _, t := range further {
		t.settle(marked)
		if !slices.ContainsFunc(c.further, func(f configToken) bool { return f.Content == t.Content }) {
			c.further = append(c.further, t)
		}
	}
	return nil
}

// readDecoder reads added_tokens_decoder, an object of tokens by id, whose flags also count for special tokens.
func (c *tokenizerConfig) readDecoder() error {
	var byID map[string]configToken
	if err := c.fields.decode("added_tokens_decoder", &byID); err != nil {
		return err
	}
	ids := make(map[int]string, len(byID))
	for key := range byID {
		id, err := strconv.Atoi(key)
		if err != nil {
			return c.fields.errorf("added_tokens_decoder", "the id %q is no number", key)
		}
		ids[id] = key
	}
	for _, id := range sortedKeys(ids) {
		t := byID[ids[id]]
		c.added = append(c.added, t.addedToken)
		for name, special := range c.tokens {
			if special.Content == t.Content {
				c.tokens[name] = configToken{addedToken: t.addedToken, flagged: true}
			}
		}
	}
	return nil
}

// readAdded reads added_tokens.json, an object of ids by token.
func (c *tokenizerConfig) readAdded(dir fs.FS) error {
	o, ok, err := readConfigFile(dir, "added_tokens.json")
	if err != nil || !ok {
		return err
	}
	ids := map[int]string{}
	for text := range o.fields {
		var id int
		if err := o.decode(text, &id); err != nil {
			return err
		}
		if other, ok := ids[id]; ok {
			return o.errorf(text, "%q has the id %d too", other, id)
		}
		ids[id] = text
	}
	for _, id := range sortedKeys(ids) {
		t := addedToken{Content: ids[id]}
		for _, special := range c.tokens {
			t.Special = t.Special || special.Content == t.Content
		}
		t.Special = t.Special || slices.ContainsFunc(c.further, func(f configToken) bool { return f.Content == t.Content })
		t.Normalised = !t.Special
		c.added = append(c.added, t)
	}
	return nil
}

func sortedKeys(m map[int]string) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// number returns a field that is a count, or what it is to be when missing.
func (c *tokenizerConfig) number(name string, missing, most int) (int, error) {
	n := missing
	if err := c.fields.decodeIf(name, &n); err != nil {
		return 0, err
	}
	if n < 0 || n > most {
		return 0, fmt.Errorf("reading %s.%s: %d is not between 0 and %d", c.fields.path, name, n, most)
	}
	return n, nil
}
