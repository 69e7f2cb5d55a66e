package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-aefebe89/graft/internal/app"
	"github.com/seed-aefebe89/graft/internal/entity"
)

func predictCommand() *cobra.Command {
	var place app.Place
	var threads int
	var device app.Device
	var engine, precision string
	var asJSON bool
	c := &cobra.Command{
		Use:   "predict [TEXT …]",
		Short: "Find entities in texts, in onnxruntime or in the graph",
		Long: `Find entities in the texts given, or in the lines of standard input. With --json
each text gives a line in the shape of Hugging Face's token-classification pipeline; offsets count characters.`,
		Example: `  graft predict --model models/e5-small --delta runs/ner-af "Nelson Mandela is in Qunu gebore."
  graft predict --exported served --delta ner-af --json < texts.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			if engine != "ort" && engine != "graph" {
				return fmt.Errorf("--engine can be ort or graph, not %q", engine)
			}
			p, err := app.OpenPredictor(place, engine == "ort", threads, device, precision,
				func(format string, args ...any) { fmt.Fprintf(c.ErrOrStderr(), format+"\n", args...) })
			if err != nil {
				return err
			}
			defer p.Close()
			return each(args, c.InOrStdin(), func(text string) error {
				es, err := p.Entities(c.Context(), text)
				if err != nil {
					return err
				}
				return printEntities(c.OutOrStdout(), text, es, asJSON)
			})
		},
	}
	f := c.Flags()
	placeFlags(f, &place)
	f.StringVar(&engine, "engine", "ort", "where to run: ort, or graph")
	f.BoolVar(&asJSON, "json", false, "write a line of JSON for each text")
	threadsFlag(f, &threads)
	deviceFlag(f, &device)
	precisionFlag(f, &precision)
	required(c, "delta")
	return c
}

// each calls f for the texts, or for the lines of r where there are none.
func each(texts []string, r io.Reader, f func(string) error) error {
	for _, t := range texts {
		if err := f(t); err != nil {
			return err
		}
	}
	if len(texts) > 0 {
		return nil
	}
	if s, err := os.Stdin.Stat(); err == nil && s.Mode()&os.ModeCharDevice != 0 && r == os.Stdin {
		fmt.Fprintln(os.Stderr, "reading texts from the terminal, one a line; end with Ctrl-D")
	}
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			if err := f(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func printEntities(w io.Writer, text string, es []entity.Entity, asJSON bool) error {
	if asJSON {
		if es == nil {
			es = []entity.Entity{}
		}
		return writeLine(w, es)
	}
	fmt.Fprintln(w, text)
	for _, e := range es {
		fmt.Fprintf(w, "  %-5s %4d–%-4d %.3f  %s\n", e.Group, e.Start, e.End, e.Score, e.Word)
	}
	return nil
}
