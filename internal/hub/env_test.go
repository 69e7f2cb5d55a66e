package hub

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheEnvironmentIsReadAsPythonDoes(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "token"), []byte("hf_file\n"))
	put(t, filepath.Join(dir, "other"), []byte("hf_other"))
	type env = map[string]string
	for name, x := range map[string]struct {
		env  env
		want Client
	}{
		"nothing":        {env{"HOME": dir}, Client{Endpoint: defaultEndpoint, Cache: dir + "/.cache/huggingface/hub"}},
		"XDG_CACHE_HOME": {env{"HOME": "/h", "XDG_CACHE_HOME": dir}, Client{Endpoint: defaultEndpoint, Cache: dir + "/huggingface/hub"}},
		"HF_HOME":        {env{"HOME": "/h", "HF_HOME": dir}, Client{Endpoint: defaultEndpoint, Cache: dir + "/hub", Token: "hf_file"}},
		"~":              {env{"HOME": dir, "HF_HOME": "~", "HF_HUB_CACHE": "~/c/$WHO/$NOT"}, Client{Endpoint: defaultEndpoint, Cache: dir + "/c/${WHO}/${NOT}", Token: "hf_file"}},
		"a variable":     {env{"HF_HOME": "$ROOM", "ROOM": dir}, Client{Endpoint: defaultEndpoint, Cache: dir + "/hub", Token: "hf_file"}},
		"HF_TOKEN":       {env{"HF_HOME": dir, "HF_TOKEN": " hf_x\n"}, Client{Endpoint: defaultEndpoint, Cache: dir + "/hub", Token: "hf_x"}},
		"HF_TOKEN_PATH":  {env{"HF_HOME": dir, "HF_TOKEN_PATH": dir + "/other"}, Client{Endpoint: defaultEndpoint, Cache: dir + "/hub", Token: "hf_other"}},
		"no token":       {env{"HF_HOME": dir, "HF_TOKEN": "hf_x", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, Client{Endpoint: defaultEndpoint, Cache: dir + "/hub"}},
		"caches":         {env{"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/new"}, Client{Endpoint: defaultEndpoint, Cache: "/new"}},
		"the rest": {env{"HF_HOME": "/h", "HF_ENDPOINT": "http://localhost:80/hub/", "HF_HUB_OFFLINE": "yes", "HF_HUB_DOWNLOAD_TIMEOUT": "3"},
			Client{Endpoint: "http://localhost:80/hub", Cache: "/h/hub", Offline: true, Timeout: 3 * time.Second}},
		"offline otherwise": {env{"HF_HOME": "/h", "TRANSFORMERS_OFFLINE": "1"}, Client{Endpoint: defaultEndpoint, Cache: "/h/hub", Offline: true}},
		"not offline":       {env{"HF_HOME": "/h", "HF_HUB_OFFLINE": "0"}, Client{Endpoint: defaultEndpoint, Cache: "/h/hub"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := FromEnv(func(k string) string { return x.env[k] })
			if err != nil {
				t.Fatal(err)
			}
			if c.Endpoint != x.want.Endpoint || filepath.ToSlash(c.Cache) != filepath.ToSlash(x.want.Cache) || c.Token != x.want.Token ||
				c.Offline != x.want.Offline || c.Timeout != x.want.Timeout {
				t.Errorf("%+v, want %+v", c, x.want)
			}
		})
	}
	for want, x := range map[string]env{
		"HF_ENDPOINT is":             {"HF_HOME": "/h", "HF_ENDPOINT": "localhost"},
		"HF_ENDPOINT is \"file":      {"HF_HOME": "/h", "HF_ENDPOINT": "file:///etc"},
		"HF_HUB_DOWNLOAD_TIMEOUT is": {"HF_HOME": "/h", "HF_HUB_DOWNLOAD_TIMEOUT": "soon"},
		"HF_TOKEN holds":             {"HF_HOME": "/h", "HF_TOKEN": "a\r\nb"},
		"reading the hub's token":    {"HF_HOME": "/h", "HF_TOKEN_PATH": dir},
	} {
		if _, err := FromEnv(func(k string) string { return x[k] }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", x, err, want)
		}
	}
	if _, err := FromEnv(os.Getenv); err != nil {
		t.Errorf("the process's own: %v", err)
	}
}
