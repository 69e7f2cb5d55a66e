// Package progress shows how far long work is: a bar on a terminal, plain lines in a log.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Reporter starts bars. The zero value shows nothing.
type Reporter struct {
	w        io.Writer
	terminal bool
	every    time.Duration
}

// New returns a reporter that writes to f: bars if f is a terminal, lines otherwise.
func New(f *os.File) *Reporter {
	return &Reporter{w: f, terminal: term.IsTerminal(int(f.Fd())), every: 10 * time.Second}
}

// Lines returns a reporter that writes a line to w when a bar starts, at most once in every, and at the end.
func Lines(w io.Writer, every time.Duration) *Reporter { return &Reporter{w: w, every: every} }

// Bar is one piece of work under way.
type Bar struct {
	r     *Reporter
	name  string
	total int
	done  int
	bytes bool // what the units are
	note  string
	bar   *progressbar.ProgressBar
	start time.Time
	last  time.Time
}

// Start begins a piece of work of total units.
func (r *Reporter) Start(name string, total int) *Bar {
	b := &Bar{r: r, name: name, total: total, start: time.Now()}
	if r == nil || r.w == nil {
		return b
	}
	if r.terminal {
		b.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(r.w), progressbar.OptionSetDescription(name),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth())
		return b
	}
	b.last = b.start
	return b
}

// StartBytes begins to move size bytes, of which done have been moved before.
func (r *Reporter) StartBytes(name string, size, done int64) *Bar {
	b := &Bar{r: r, name: name, total: int(size), done: int(done), bytes: true, start: time.Now()}
	if r == nil || r.w == nil {
		return b
	}
	if r.terminal {
		b.bar = progressbar.NewOptions64(size, progressbar.OptionSetWriter(r.w), progressbar.OptionSetDescription(name),
			progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
		b.bar.Set64(done)
		return b
	}
	b.last = b.start
	return b
}

// Add tells that n more units are done; note, if not empty, is shown beside.
func (b *Bar) Add(n int, note string) {
	b.done += n
	if note != "" {
		b.note = note
	}
	switch {
	case b.bar != nil:
		if note != "" {
			b.bar.Describe(b.name + " " + note)
		}
		b.bar.Add(n)
	case b.r != nil && b.r.w != nil && time.Since(b.last) >= b.r.every:
		b.last = time.Now()
		b.line()
	}
}

// Done ends the work, also when it was cut short.
func (b *Bar) Done() {
	switch {
	case b.bar != nil:
		b.bar.Exit()
		fmt.Fprintln(b.r.w)
	case b.r != nil && b.r.w != nil:
		b.line()
	}
}

func (b *Bar) line() {
	done := fmt.Sprintf("%d/%d", b.done, b.total)
	if b.bytes {
		unit, name := 1e6, "MB"
		if b.total < 1e6 {
			unit, name = 1e3, "kB"
		}
		done = fmt.Sprintf("%.1f/%.1f %s", float64(b.done)/unit, float64(b.total)/unit, name)
	}
	s := fmt.Sprintf("%s %s %.0fs", b.name, done, time.Since(b.start).Seconds())
	if b.note != "" {
		s += " " + b.note
	}
	fmt.Fprintln(b.r.w, s)
}

// Printf writes a line of text between bars.
func (r *Reporter) Printf(format string, args ...any) {
	if r != nil && r.w != nil {
		fmt.Fprintf(r.w, format+"\n", args...)
	}
}
