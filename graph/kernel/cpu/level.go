// Package cpu computes kernel.Kernels on processors: C through cgo, one source compiled for several instruction sets
// and chosen at run time by what the processor has. Without cgo it is graph/kernel/portable under the same names.
package cpu

import "fmt"

// Level is an instruction set.
type Level int

// The levels, each faster than the one before where a processor has it.
const (
	Portable   Level = iota // plain Go
	Base                    // C for any processor: SSE2 on x86-64, NEON on arm64
	AVX2                    // x86-64 with AVX2 and FMA: 8 floats at a time
	AVX512                  // x86-64 with AVX-512 F, BW, DQ and VL: 16 floats at a time
	AVX512BF16              // AVX512 with its dot products of bfloat16
)

var levelNames = [...]string{"portable", "base", "avx2", "avx512", "avx512_bf16"}

// String is the level's name, as the environment variable GRAFT_CPU takes it.
func (l Level) String() string {
	if l < 0 || int(l) >= len(levelNames) {
		return fmt.Sprintf("Level(%d)", int(l))
	}
	return levelNames[l]
}

// choose returns the level of the given name if it is among levels, else the last one.
func choose(levels []Level, name string) Level {
	for _, l := range levels {
		if l.String() == name {
			return l
		}
	}
	return levels[len(levels)-1]
}
