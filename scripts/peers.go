//go:build ignore

// The results of graft bench --peer as one table in Markdown. See peers.sh. The last column is the share of the machine that
// other processes took: where it is not near nothing, the row says little.
//
//	go run scripts/peers.go RESULT.json...
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/seed-aefebe89/graft/internal/app"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(paths []string) error {
	fmt.Println("| encoder | precision | lengths | peer | graft tokens/s | peer's tokens/s | graft / peer | memory, MB | graft / peer | others |")
	fmt.Println("|---|---|---|---|--:|--:|--:|--:|--:|--:|")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var r app.BenchResult
		if err := json.Unmarshal(b, &r); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		lengths := fmt.Sprintf("%.0f", r.Length)
		if r.Lengths != "" {
			lengths = fmt.Sprintf("%.1f on average", r.Length)
		}
		memory := map[string]float64{}
		for _, x := range r.Rows {
			if x.Of == "" {
				memory[x.Key] = x.PrivateMB
				continue
			}
			fmt.Printf("| %s | %s | %s | %s | %.0f | %.0f | **%.2f** | %.0f : %.0f | %.2f | %.0f %% |\n", r.Model, r.Precision, lengths, x.Name, x.Ours, x.TokensPS,
				x.Speedup, memory[x.Of], x.PrivateMB, x.MemoryOf, 100*r.Others)
		}
	}
	return nil
}
