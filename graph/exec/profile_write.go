package exec

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteTable writes what each kind of operator took, over all threads: calls, time, its share, and the rates at which
// it multiplied and moved memory.
func (p *Profile) WriteTable(w io.Writer) error {
	all := p.Usages()
	var sum Usage
	for _, u := range all {
		sum.Calls, sum.Time, sum.FLOP, sum.Bytes = sum.Calls+u.Calls, sum.Time+u.Time, sum.FLOP+u.FLOP, sum.Bytes+u.Bytes
	}
	sum.Operator = "all"
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "operator\tcalls\tms\tshare\tGFLOP/s\tGB/s\t")
	for _, u := range append(all, sum) {
		s := u.Time.Seconds()
		rate := "–"
		if u.FLOP > 0 {
			rate = fmt.Sprintf("%.1f", per(u.FLOP, s)/1e9)
		}
		fmt.Fprintf(tw, "%s\t%d\t%.1f\t%.1f %%\t%s\t%.1f\t\n", u.Operator, u.Calls, 1e3*s, 100*per(s, sum.Time.Seconds()), rate, per(u.Bytes, s)/1e9)
	}
	return tw.Flush()
}

// per is a/b, and 0 where nothing was measured.
func per(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// traceEvent is one entry of a trace in Chrome's format ("Trace Event Format", complete events), which
// chrome://tracing and ui.perfetto.dev show. Times are in µs.
type traceEvent struct {
	Name string         `json:"name"`
	Ph   string         `json:"ph"`
	TS   float64        `json:"ts"`
	Dur  float64        `json:"dur,omitempty"`
	PID  int            `json:"pid"`
	TID  int            `json:"tid"`
	Args map[string]any `json:"args,omitempty"`
}

// WriteTrace writes every run of an operator as JSON in Chrome's trace format, a row for each thread. Of a long run it
// has the beginning; what is left out is told in otherData.
func (p *Profile) WriteTrace(w io.Writer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, `{"displayTimeUnit":"ms","otherData":{"runs":%d,"events left out":%d},"traceEvents":[`, p.runs, p.missed)
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
	first := true
	put := func(e traceEvent) error {
		j, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if !first {
			b.WriteString(",\n")
		}
		first = false
		_, err = b.Write(j)
		return err
	}
	named := map[int]bool{}
	for _, e := range p.events {
		if !named[e.thread] {
			named[e.thread] = true
			name := map[string]any{"name": fmt.Sprintf("thread %d", e.thread)}
			if err := put(traceEvent{Name: "thread_name", Ph: "M", PID: 1, TID: e.thread, Args: name}); err != nil {
				return err
			}
		}
		args := map[string]any{"op": e.op, "shape": e.shape}
		if err := put(traceEvent{Name: e.name, Ph: "X", TS: us(e.start), Dur: us(e.took), PID: 1, TID: e.thread, Args: args}); err != nil {
			return err
		}
	}
	b.WriteString("]}\n")
	return b.Flush()
}
