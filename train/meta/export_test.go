package meta

import "github.com/seed-aefebe89/graft/graph"

// Sessions are those that a run used, in the order in which Footprint asks them.
func (p *Prime) Sessions() (out []*graph.Session) {
	for _, s := range []*graph.Session{p.query, p.support, p.encode} {
		if s != nil {
			out = append(out, s)
		}
	}
	return out
}
