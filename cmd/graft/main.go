// Command graft is the bridge from a pretrained ONNX encoder to a cheap, trained, served one.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/progress"
	"github.com/seed-aefebe89/graft/train"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := command().ExecuteContext(ctx)
	switch {
	case err == nil:
	case errors.Is(err, train.ErrInterrupted) || errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "graft:", err)
		os.Exit(130)
	default:
		fmt.Fprintln(os.Stderr, "graft:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "graft",
		Short: "Prime and train adapters on ONNX encoders, and run them in onnxruntime",
		Long: `graft takes a pretrained encoder as ONNX, primes it by meta-learning, trains small
adapters for tasks and languages, and exports each as a delta beside the untouched base.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(pullCommand(), inspectCommand(), primeCommand(), trainCommand(), evalCommand(), exportCommand(), predictCommand(),
		reportCommand(), demoCommand(), benchCommand(), tokenizeCommand())
	return root
}

// reporter shows progress on standard error, nothing if quiet.
func reporter(quiet bool) *progress.Reporter {
	if quiet {
		return nil
	}
	return progress.New(os.Stderr)
}
