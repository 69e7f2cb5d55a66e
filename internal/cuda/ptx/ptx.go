// Package ptx reads what a launch is held to from NVIDIA's assembly language: kernels, the sizes of their parameters,
// their shared memory (PTX ISA, "Kernel and Function Directives").
package ptx

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Entry is a kernel.
type Entry struct {
	Name   string
	Params []int // bytes of each
	// MaxThreads is the most threads that a block may have; 0 where the kernel does not say.
	MaxThreads int
}

var (
	entry  = regexp.MustCompile(`\.entry\s+([A-Za-z_$][\w$]*)\s*\(([^)]*)\)([^{;]*)`)
	param  = regexp.MustCompile(`^\.param\s+(?:\.align\s+\d+\s+)?\.([a-z]+)(\d+)\s[^\[]*(?:\[(\d+)\])?`)
	maxnt  = regexp.MustCompile(`\.maxntid\s+(\d+)(?:\s*,\s*(\d+))?(?:\s*,\s*(\d+))?`)
	source = regexp.MustCompile(`(?m)^// source sha256 ([0-9a-f]{64})$`)
)

// Entries are the kernels of a PTX text.
func Entries(text string) ([]Entry, error) {
	if !strings.Contains(text, ".version ") || !strings.Contains(text, ".target ") {
		return nil, fmt.Errorf("reading PTX: no .version and .target")
	}
	var all []Entry
	for _, m := range entry.FindAllStringSubmatch(text, -1) {
		e := Entry{Name: m[1]}
		for _, p := range strings.Split(m[2], ",") {
			if p = strings.TrimSpace(p); p == "" {
				continue
			}
			size, err := paramBytes(p)
			if err != nil {
				return nil, fmt.Errorf("reading PTX: kernel %s: %w", e.Name, err)
			}
			e.Params = append(e.Params, size)
		}
		if t := maxnt.FindStringSubmatch(m[3]); t != nil {
			e.MaxThreads = 1
			for _, s := range t[1:] {
				if s == "" {
					continue
				}
				n, err := strconv.Atoi(s)
				if err != nil || n < 1 || n > 1024 {
					return nil, fmt.Errorf("reading PTX: kernel %s: .maxntid %s", e.Name, s)
				}
				e.MaxThreads *= n
			}
		}
		all = append(all, e)
	}
	return all, nil
}

// Names are the names of a PTX text's kernels, found without reading the rest of it.
func Names(text string) (all []string) {
	const word = ".entry "
	for {
		_, rest, ok := strings.Cut(text, word)
		if !ok {
			return all
		}
		name, after, ok := strings.Cut(rest, "(")
		if name = strings.TrimSpace(name); ok && !strings.ContainsAny(name, " \t\n") {
			all = append(all, name)
		}
		text = after
	}
}

// paramBytes is the size of ".param .u64 name" or ".param .align 8 .b8 name[16]".
func paramBytes(p string) (int, error) {
	m := param.FindStringSubmatch(p)
	if m == nil {
		return 0, fmt.Errorf("parameter %q", p)
	}
	bits, err := strconv.Atoi(m[2])
	if err != nil || bits%8 != 0 || bits < 8 || bits > 128 {
		return 0, fmt.Errorf("parameter %q of type %s%s", p, m[1], m[2])
	}
	n := 1
	if m[3] != "" {
		if n, err = strconv.Atoi(m[3]); err != nil || n < 1 || n > 4096 {
			return 0, fmt.Errorf("parameter %q", p)
		}
	}
	return n * bits / 8, nil
}

// SourceHash is the hash that Hash gave of what the text was made from, or "".
func SourceHash(text string) string {
	if m := source.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// Stamp is the line that SourceHash finds.
func Stamp(hash string) string { return "// source sha256 " + hash }

var include = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]+"([^"]+)"`)

// Hash is the SHA-256 of a kernel's source and of the .cuh files that it includes: each one's name, length and text. A
// file lies in the first of dirs that holds it.
func Hash(name string, dirs ...fs.FS) (string, error) {
	files, err := Includes(name, dirs...)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, n := range sortedKeys(files) {
		fmt.Fprintf(h, "%s %d\n", n, len(files[n]))
		h.Write([]byte(files[n]))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Includes are the texts of a source and of the .cuh files that it includes, directly or not, by name.
func Includes(name string, dirs ...fs.FS) (map[string]string, error) {
	files := map[string]string{}
	todo := []string{name}
	for len(todo) > 0 {
		n := todo[0]
		todo = todo[1:]
		if _, done := files[n]; done {
			continue
		}
		text, err := readFirst(n, dirs)
		if err != nil {
			return nil, err
		}
		files[n] = text
		for _, m := range include.FindAllStringSubmatch(text, -1) {
			if path.Ext(m[1]) == ".cuh" {
				todo = append(todo, m[1])
			}
		}
	}
	return files, nil
}

func readFirst(name string, dirs []fs.FS) (string, error) {
	var last error
	for _, d := range dirs {
		b, err := fs.ReadFile(d, name)
		if err == nil {
			return string(b), nil
		}
		last = err
	}
	return "", fmt.Errorf("reading kernel source %q: %w", name, last)
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
