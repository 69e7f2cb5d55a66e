package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/internal/hub"
)

func pullCommand() *cobra.Command {
	var o app.PullOptions
	var quiet bool
	c := &cobra.Command{
		Use:   "pull ORG/NAME",
		Short: "Fetch an ONNX model with its tokenizer from a Hugging Face style hub",
		Long: `Fetch a model's ONNX file, the files that hold its weights, its tokenizer and its configuration, and print what the
other commands take as MODEL. The files go into the cache that Python's huggingface_hub uses, so that neither fetches
what the other has; --to also copies them into a folder. Each is checked against the hub's checksum. An interrupted
download goes on where it stopped when the same command is given again.

Variables, as Python's libraries read them: HF_ENDPOINT (the hub's address), HF_TOKEN (else the file HF_HOME/token),
HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT.`,
		Example: `  graft pull intfloat/multilingual-e5-small
  graft inspect "$(graft pull intfloat/multilingual-e5-small)"
  graft pull Xenova/distilbert-base-uncased --revision main --file onnx/model_fp16.onnx --to models/distilbert`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			o.ID = args[0]
			client, err := hub.FromEnv(os.Getenv)
			if err != nil {
				return err
			}
			client.Progress = reporter(quiet)
			p, err := app.Pull(c.Context(), client, o)
			if err != nil {
				if c.Context().Err() != nil {
					return errors.Join(c.Context().Err(), errors.New("what came is kept: the same command goes on from there"))
				}
				return err
			}
			if p.Cached != nil {
				client.Progress.Printf("from the cache: %v", p.Cached)
			}
			if !p.Tokenizer {
				client.Progress.Printf("%s holds no tokenizer that graft reads", o.ID)
			}
			fmt.Fprintln(c.OutOrStdout(), p.Model)
			return nil
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Revision, "revision", "r", "main", "branch, tag or commit")
	f.StringVarP(&o.File, "file", "f", "", "the ONNX file, such as onnx/model_fp16.onnx (default: model.onnx, else onnx/model.onnx)")
	f.StringVarP(&o.To, "to", "o", "", "folder to copy the files into")
	quietFlag(f, &quiet)
	return c
}
