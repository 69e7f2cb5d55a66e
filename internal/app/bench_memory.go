package app

import (
	"context"
	"fmt"
	"os"
)

// alone measures the private memory of this process while it does what a row does, twice: the first run allocates.
func (b *bench) alone(ctx context.Context, r benchRow) (BenchRow, error) {
	stop := watchMemory(os.Getpid())
	x, err := r.open(b, b.ks)
	if err != nil {
		stop()
		return BenchRow{}, fmt.Errorf("%s: %w", r.name, err)
	}
	s := &benchSeries{row: BenchRow{Key: r.key, Name: r.name, Threads: len(b.ks)}, x: x}
	for range 2 {
		if err = s.take(ctx, true); err != nil {
			break
		}
	}
	mb := stop()
	x.close()
	if err != nil {
		return BenchRow{}, fmt.Errorf("%s: %w", r.name, err)
	}
	row := s.result()
	row.PrivateMB = mb
	return row, nil
}

// memory fills in what each row takes in a process of its own, and what that is to its peers'.
func (b *bench) memory(ctx context.Context, rows []BenchRow) error {
	taken := map[string]float64{}
	for i := range rows {
		r := &rows[i]
		row, ok := benchRowOf(r.Key)
		if !ok {
			continue
		}
		o := b.BenchOptions
		o.Random, o.Methods, o.Solo, o.Scaling, o.Peers = "", []string{row.key}, true, false, PeerOptions{}
		mb, err := b.Memory(ctx, o)
		if err != nil {
			return fmt.Errorf("measuring the memory of %s: %w", row.name, err)
		}
		r.PrivateMB, taken[row.key] = mb, mb
	}
	for i := range rows {
		if r := &rows[i]; r.Of != "" && r.PrivateMB > 0 {
			r.MemoryOf = taken[r.Of] / r.PrivateMB
		}
	}
	return nil
}
