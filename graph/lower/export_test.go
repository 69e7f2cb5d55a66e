package lower

import (
	"slices"

	"github.com/seed-aefebe89/graft/importer/fold"
)

// Operators lists the operators that have a rule or are written in others, as "domain.name", or the name alone in the default domain.
func Operators() []string {
	var out []string
	for k := range rules {
		name := k.op
		if k.domain != "" {
			name = k.domain + "." + name
		}
		out = append(out, name)
	}
	for _, o := range fold.Operators() {
		if o.Written && !slices.Contains(out, o.Name) {
			out = append(out, o.Name)
		}
	}
	slices.Sort(out)
	return out
}
