package random

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Folder writes the encoder that Encoder makes into a folder, which it makes if need be, as Hugging Face lays models
// out: model.onnx and config.json. It needs little memory whatever the encoder's size.
func Folder(dir string, seed uint64, c Config) error {
	m, err := Encoder(seed, c)
	if err != nil {
		return err
	}
	if c, err = c.filled(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("random encoder: %w", err)
	}
	config, err := json.MarshalIndent(c.json(), "", "  ")
	if err != nil {
		return fmt.Errorf("random encoder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), append(config, '\n'), 0o666); err != nil {
		return fmt.Errorf("random encoder: %w", err)
	}
	f, err := os.Create(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return fmt.Errorf("random encoder: %w", err)
	}
	_, err = m.WriteTo(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("random encoder: %w", err), os.Remove(f.Name()))
	}
	return nil
}
