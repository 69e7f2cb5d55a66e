package ptx

import (
	"fmt"
	"io/fs"
	"strings"
)

// Fresh says which PTX of a folder's .cu files is missing or older than its source; shared holds what the sources
// include and the folder does not.
func Fresh(folder, shared fs.FS) error {
	sources, err := fs.Glob(folder, "*.cu")
	if err != nil {
		return err
	}
	for _, s := range sources {
		want, err := Hash(s, folder, shared)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(s, ".cu") + ".ptx"
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return fmt.Errorf("%s has no PTX: run scripts/gpu-ptx.sh: %w", s, err)
		}
		if SourceHash(string(text)) != want {
			return fmt.Errorf("%s is older than its source: run scripts/gpu-ptx.sh", name)
		}
		entries, err := Entries(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if len(entries) == 0 {
			return fmt.Errorf("%s holds no kernel", name)
		}
	}
	return nil
}
