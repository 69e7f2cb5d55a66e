package lower

import "slices"

// Operators lists the operators that have a rule, as "domain.name", or the name alone in the default domain.
func Operators() []string {
	var out []string
	for k := range rules {
		name := k.op
		if k.domain != "" {
			name = k.domain + "." + name
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
