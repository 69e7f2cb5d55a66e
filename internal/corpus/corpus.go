// Package corpus makes graft's demo corpus: sentences with names of persons, organisations and places (PER, ORG, LOC)
// in several languages, tagged in IOB2.
//
// Each language is one text file below lang, which somebody who knows the language can read and extend:
//
//	forms nom gen              the forms that a name has here, if more than one
//	harmony turkish            how suffixes after names follow their vowels, if they do
//
//	list month                 words that are no names
//	May; June
//	entity city LOC            names and their tag: items parted by ";" or line ends, forms by "/"
//	Tartu; Tallinn / Tallinna
//	entity univ ORG            an item with slots is a pattern
//	{city:gen} Ülikool / {city:gen} Ülikooli
//
//	[train]                    templates of the split, one a line, tokens parted by spaces
//	{city:gen}s avati {univ:gen} uus maja .
//
// In a template {kind} is a slot, {kind:form} asks for another form than the first, and what follows the brace belongs
// to the name's last token. An item with one form has it everywhere; if that is a pattern, its last slot takes the form
// that is asked for. {year}, {born} (a year of birth), {day} and {num} (from 11 to 99) are numbers. Slots refer only to
// lists and entities above them.
//
// The items of a list that are no patterns are parted: the odd ones (the first, the third, …) are names for training,
// the even ones are held out for dev and test.
package corpus

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/seed-aefebe89/graft/train/data"
)

//go:embed lang/*.txt
var files embed.FS

// The splits of a language.
const (
	Train = "train"
	Dev   = "dev"
	Test  = "test"
)

// Seed is the seed of the demo corpus as it is kept in testdata/demo/ner.
const Seed = 1

// Splits lists the splits.
func Splits() []string { return []string{Train, Dev, Test} }

// Languages lists the languages' codes in order.
func Languages() []string {
	names, err := files.ReadDir("lang")
	if err != nil {
		return nil // the folder is part of the program
	}
	var codes []string
	for _, f := range names {
		codes = append(codes, strings.TrimSuffix(f.Name(), ".txt"))
	}
	return codes
}

// Size is the number of sentences of a split in the demo corpus: the source languages en and es have more to train on
// than the others, which are targets.
func Size(lang, split string) int {
	source := lang == "en" || lang == "es"
	switch {
	case split == Test:
		return 300
	case split == Dev && source:
		return 200
	case split == Dev:
		return 100
	case source:
		return 1500
	}
	return 120
}

// Generate makes n different sentences of a language's split. The same arguments give the same sentences.
func Generate(lang, split string, n int, seed uint64) ([]data.Sentence, error) {
	if !slices.Contains(Languages(), lang) {
		return nil, fmt.Errorf("generating sentences: no language %q; there are %s", lang, strings.Join(Languages(), ", "))
	}
	file := path.Join("lang", lang+".txt")
	text, err := files.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("generating sentences: %w", err)
	}
	g, err := parse(file, string(text))
	if err != nil {
		return nil, fmt.Errorf("generating sentences: %w", err)
	}
	return g.generate(split, n, seed)
}
