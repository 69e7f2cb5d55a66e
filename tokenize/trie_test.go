package tokenize

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestTrieHoldsExactlyItsKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 300, 20000} {
		index := map[string]int{}
		var keys []string
		for len(keys) < n {
			k := make([]byte, 1+rng.IntN(6))
			for i := range k {
				k[i] = byte(rng.IntN(1 + rng.IntN(256)))
			}
			if _, ok := index[string(k)]; !ok {
				index[string(k)] = len(keys)
				keys = append(keys, string(k))
			}
		}
		tr, err := newTrie(keys)
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range index {
			if got, ok := tr.find(k); !ok || got != want {
				t.Fatalf("%d keys: find(%q) = %d, %t, want %d", n, k, got, ok, want)
			}
		}
		for i := range 20000 {
			k := fmt.Sprintf("%c%c%d", rng.IntN(300), rng.IntN(300), i%10)[:1+rng.IntN(3)]
			_, want := index[k]
			if _, got := tr.find(k); got != want {
				t.Fatalf("%d keys: find(%q) = %t, want %t", n, k, got, want)
			}
		}
	}
}
