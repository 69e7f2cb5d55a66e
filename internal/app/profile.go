package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/seed-aefebe89/graft/graph/exec"
)

// Profiled runs f and measures every operator that it runs: a table goes to w, and a trace in Chrome's format to the
// file path, also where f fails or is interrupted. With an empty path it runs f alone.
func Profiled(ctx context.Context, path string, w io.Writer, f func(context.Context) error) error {
	if path == "" {
		return f(ctx)
	}
	out, err := os.Create(path) // before the work, so that a path that cannot be written is told first
	if err != nil {
		return fmt.Errorf("creating the profile: %w", err)
	}
	p := exec.NewProfile()
	err = f(exec.WithProfile(ctx, p))
	werr := errors.Join(p.WriteTable(w), p.WriteTrace(out), out.Close())
	if werr != nil {
		werr = fmt.Errorf("writing the profile %s: %w", path, werr)
	}
	return errors.Join(err, werr)
}
