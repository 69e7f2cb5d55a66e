"""Encoders whose code is not in transformers but travels with the models on the hub, written from their equations, with
the names of their parameters there: NomicBERT, JinaBERT, GTE's (mGTE, "new"), EuroBERT. See architectures.py."""

import math

import torch
from torch import nn
from torch.nn import functional as F


class Config:
    """What the encoders have in common."""

    def __init__(self, **kw):
        self.vocab_size, self.hidden_size, self.num_hidden_layers, self.num_attention_heads = 60, 32, 2, 4
        self.intermediate_size, self.max_position_embeddings, self.pad_token_id, self.type_vocab_size = 48, 160, 1, 2
        self.rotary_fraction, self.num_key_value_heads, self.rope_theta, self.eps, self.table = 1.0, 4, 10000.0, 1e-6, False
        self.__dict__.update(kw)

    def to_dict(self):
        return dict(self.__dict__)


class Output(dict):
    """What a forward pass gives, by attribute as transformers has it."""

    __getattr__ = dict.__getitem__


def hide(mask, dtype):
    """What is added to scores [batch, heads, query, key]."""
    return (1.0 - mask[:, None, None, :].to(dtype)) * torch.finfo(dtype).min


def angles(positions, d, theta):
    """Cosines and sines [sequence, d] of rotary embeddings (Su et al. 2021), the same for both halves."""
    inv = 1.0 / (theta ** (torch.arange(0, d, 2, dtype=torch.float32) / d))
    f = positions[:, None].to(torch.float32) * inv[None, :]
    f = torch.cat([f, f], -1)
    return f.cos(), f.sin()


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def attend(q, k, v, mask, sdpa):
    """softmax(q·kᵀ/√d + mask)·v of [batch, heads, sequence, d]."""
    if sdpa:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask, -1) @ v


class Sentence(nn.Module):
    """What sentence-transformers puts on an encoder: the mean of the real tokens or the first one, perhaps normalised."""

    def __init__(self, model, pooling, normalise):
        super().__init__()
        self.auto_model, self.pooling, self.normalise, self.config = model, pooling, normalise, model.config

    def forward(self, input_ids, attention_mask, **how):
        out = self.auto_model(input_ids=input_ids, attention_mask=attention_mask, **how)
        tokens = out.last_hidden_state
        if self.pooling == "cls":
            y = tokens[:, 0]
        elif self.pooling == "product":
            m = attention_mask.to(tokens.dtype)
            y = (m[:, None, :] @ tokens).squeeze(1) / m.sum(1, keepdim=True)
        else:
            m = attention_mask.unsqueeze(-1).expand(tokens.size()).to(tokens.dtype)
            y = torch.sum(tokens * m, 1) / torch.clamp(m.sum(1), min=1e-9)
        if self.normalise:
            y = F.normalize(y, p=2, dim=1)
        return Output(sentence_embedding=y, hidden_states=out.get("hidden_states"))


class Module(nn.Module):
    """Submodules by name whose forward pass is a function of them, so that exporters see the module's name."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for k, v in parts.items():
            setattr(self, k, v)

    def forward(self, *args):
        return self.run(self, *args)


def layer_by_layer(encoder, x, *args):
    hidden = [x]
    for l in encoder.layers if hasattr(encoder, "layers") else encoder.layer:
        x = l(x, *args)
        hidden.append(x)
    return x, hidden


class RMSNorm(nn.Module):
    def __init__(self, n, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


class NomicBertModel(nn.Module):
    """nomic-embed: rotary embeddings of a part of each head, one map for q, k and v, SwiGLU, no biases, LayerNorm of sums."""

    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            h, self.c = c.hidden_size, c
            m = c.intermediate_size
            self.attn = Module(self.attention, Wqkv=nn.Linear(h, 3 * h, bias=False), out_proj=nn.Linear(h, h, bias=False))
            self.mlp = Module(lambda m, x: m.fc2(m.fc11(x) * F.silu(m.fc12(x))), fc11=nn.Linear(h, m, bias=False),
                              fc12=nn.Linear(h, m, bias=False), fc2=nn.Linear(m, h, bias=False))
            self.norm1, self.norm2 = nn.LayerNorm(h, eps=1e-12), nn.LayerNorm(h, eps=1e-12)

        def forward(self, x, mask, cos, sin):
            x = self.norm1(self.attn(x, mask, cos, sin) + x)
            return self.norm2(self.mlp(x) + x)

        def attention(self, attn, x, mask, cos, sin):
            b, s, h = x.shape
            n = self.c.num_attention_heads
            q, k, v = attn.Wqkv(x).view(b, s, 3, n, h // n).unbind(2)
            r = cos.shape[-1]

            def turn(t):
                return torch.cat([rotate(t[..., :r], cos[:, None], sin[:, None]), t[..., r:]], -1).transpose(1, 2)

            y = attend(turn(q), turn(k), v.transpose(1, 2), mask, self.c._attn_implementation == "sdpa")
            return attn.out_proj(y.transpose(1, 2).reshape(b, s, h))

    def __init__(self, c):
        super().__init__()
        self.config, h = c, c.hidden_size
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(c.vocab_size, h)
        self.embeddings.token_type_embeddings = nn.Embedding(c.type_vocab_size, h)
        self.emb_ln = nn.LayerNorm(h, eps=1e-12)
        self.encoder = Module(layer_by_layer, layers=nn.ModuleList([self.Block(c) for _ in range(c.num_hidden_layers)]))

    def forward(self, input_ids, attention_mask, token_type_ids=None, **_):
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        x = self.emb_ln(self.embeddings.word_embeddings(input_ids) + self.embeddings.token_type_embeddings(types))
        d = self.config.hidden_size // self.config.num_attention_heads
        cos, sin = angles(torch.arange(input_ids.shape[1]), int(d * self.config.rotary_fraction), self.config.rope_theta)
        x, hidden = self.encoder(x, hide(attention_mask, x.dtype), cos, sin)
        return Output(last_hidden_state=x, hidden_states=hidden)


class JinaBertModel(nn.Module):
    """jina-embeddings-v2: ALiBi (Press et al. 2022) to both sides, a gated feed-forward part of one map, LayerNorm of sums."""

    class Layer(nn.Module):
        def __init__(self, c):
            super().__init__()
            h, self.c = c.hidden_size, c
            self.attention = nn.Module()
            self.attention.self, self.attention.output = nn.Module(), nn.Module()
            for k in ("query", "key", "value"):
                setattr(self.attention.self, k, nn.Linear(h, h))
            self.attention.output.dense, self.attention.output.LayerNorm = nn.Linear(h, h), nn.LayerNorm(h, eps=1e-12)
            self.mlp = Module(self.gated, gated_layers=nn.Linear(h, 2 * c.intermediate_size, bias=False),
                              wo=nn.Linear(c.intermediate_size, h), layernorm=nn.LayerNorm(h, eps=1e-12))

        def forward(self, x, bias):
            b, s, h = x.shape
            n, a = self.c.num_attention_heads, self.attention

            def heads(m):
                return m(x).view(b, s, n, h // n).permute(0, 2, 1, 3)

            y = attend(heads(a.self.query), heads(a.self.key), heads(a.self.value), bias, self.c._attn_implementation == "sdpa")
            x = a.output.LayerNorm(a.output.dense(y.permute(0, 2, 1, 3).reshape(b, s, h)) + x)
            return self.mlp(x)

        def gated(self, mlp, x):
            g, m = mlp.gated_layers(x), self.c.intermediate_size
            return mlp.layernorm(x + mlp.wo(F.gelu(g[:, :, :m]) * g[:, :, m:]))

    def __init__(self, c):
        super().__init__()
        self.config, h = c, c.hidden_size
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(c.vocab_size, h)
        self.embeddings.token_type_embeddings = nn.Embedding(c.type_vocab_size, h)
        self.embeddings.LayerNorm = nn.LayerNorm(h, eps=1e-12)
        self.encoder = Module(layer_by_layer, layer=nn.ModuleList([self.Layer(c) for _ in range(c.num_hidden_layers)]))
        # The model on the hub keeps a table for max_position_embeddings and takes a corner of it.
        self.encoder.register_buffer("alibi", self.alibi(c.max_position_embeddings) if c.table else None, persistent=False)

    def alibi(self, n):
        """−slope·|key − query| [1, heads, n, n], the slopes 2^(−8·i/heads)."""
        p = torch.arange(n)
        slopes = torch.tensor([2 ** (-8 * (i + 1) / self.config.num_attention_heads) for i in range(self.config.num_attention_heads)])
        return (slopes[:, None, None] * -(p[None, :] - p[:, None]).abs()[None].float())[None]

    def forward(self, input_ids, attention_mask, token_type_ids=None, **_):
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        e, s = self.embeddings, input_ids.shape[1]
        x = e.LayerNorm(e.word_embeddings(input_ids) + e.token_type_embeddings(types))
        bias = self.encoder.alibi[:, :, :s, :s] if self.config.table else self.alibi(s)
        x, hidden = self.encoder(x, hide(attention_mask, x.dtype) + bias)
        return Output(last_hidden_state=x, hidden_states=hidden)


class NewModel(nn.Module):
    """gte-multilingual and -v1.5: rotary embeddings, one map with biases for q, k and v, a gated part of one map without."""

    class Layer(nn.Module):
        def __init__(self, c):
            super().__init__()
            h, self.c = c.hidden_size, c
            self.attention = Module(self.attend, qkv_proj=nn.Linear(h, 3 * h), o_proj=nn.Linear(h, h))
            self.mlp = Module(self.gated, up_gate_proj=nn.Linear(h, 2 * c.intermediate_size, bias=False),
                              down_proj=nn.Linear(c.intermediate_size, h))
            self.attn_ln, self.mlp_ln = nn.LayerNorm(h, eps=1e-12), nn.LayerNorm(h, eps=1e-12)

        def forward(self, x, mask, cos, sin):
            x = self.attn_ln(x + self.attention(x, mask, cos, sin))
            return self.mlp_ln(x + self.mlp(x))

        def gated(self, mlp, x):
            up, gate = mlp.up_gate_proj(x).split(self.c.intermediate_size, -1)
            return mlp.down_proj(F.gelu(gate) * up)

        def attend(self, attention, x, mask, cos, sin):
            b, s, h = x.shape
            n = self.c.num_attention_heads
            q, k, v = (t.view(b, s, n, h // n) for t in attention.qkv_proj(x).split(h, -1))
            q, k = (rotate(t, cos[:, None], sin[:, None]).transpose(1, 2) for t in (q, k))
            y = attend(q, k, v.transpose(1, 2), mask, self.c._attn_implementation == "sdpa")
            return attention.o_proj(y.transpose(1, 2).reshape(b, s, h))

    def __init__(self, c):
        super().__init__()
        self.config, h = c, c.hidden_size
        self.embeddings = nn.Module()
        self.embeddings.word_embeddings = nn.Embedding(c.vocab_size, h)
        if c.type_vocab_size:
            self.embeddings.token_type_embeddings = nn.Embedding(c.type_vocab_size, h)
        self.embeddings.LayerNorm = nn.LayerNorm(h, eps=1e-12)
        cos, sin = angles(torch.arange(c.max_position_embeddings), h // c.num_attention_heads, c.rope_theta)
        self.embeddings.register_buffer("cos", cos, persistent=False)
        self.embeddings.register_buffer("sin", sin, persistent=False)
        self.encoder = Module(layer_by_layer, layer=nn.ModuleList([self.Layer(c) for _ in range(c.num_hidden_layers)]))

    def forward(self, input_ids, attention_mask, token_type_ids=None, **_):
        e, s = self.embeddings, input_ids.shape[1]
        x = e.word_embeddings(input_ids)
        if self.config.type_vocab_size:
            x = x + e.token_type_embeddings(input_ids * 0 if token_type_ids is None else token_type_ids)
        positions = torch.arange(s)
        cos, sin = e.cos[:s][positions], e.sin[:s][positions]
        x, hidden = self.encoder(e.LayerNorm(x), hide(attention_mask, x.dtype), cos, sin)
        return Output(last_hidden_state=x, hidden_states=hidden)


class EuroBertModel(nn.Module):
    """EuroBERT: a Llama without the causal mask: RMSNorm first, rotary embeddings, fewer heads of keys, SwiGLU."""

    class Layer(nn.Module):
        def __init__(self, c):
            super().__init__()
            h, d, self.c = c.hidden_size, c.hidden_size // c.num_attention_heads, c
            m, kv = c.intermediate_size, c.num_key_value_heads * d
            self.self_attn = Module(self.attend, q_proj=nn.Linear(h, h, bias=False), k_proj=nn.Linear(h, kv, bias=False),
                                    v_proj=nn.Linear(h, kv, bias=False), o_proj=nn.Linear(h, h, bias=False))
            self.mlp = Module(lambda m, x: m.down_proj(F.silu(m.gate_proj(x)) * m.up_proj(x)), gate_proj=nn.Linear(h, m, bias=False),
                              up_proj=nn.Linear(h, m, bias=False), down_proj=nn.Linear(m, h, bias=False))
            self.input_layernorm, self.post_attention_layernorm = RMSNorm(h, c.eps), RMSNorm(h, c.eps)

        def forward(self, x, mask, cos, sin):
            x = x + self.self_attn(self.input_layernorm(x), mask, cos, sin)
            return x + self.mlp(self.post_attention_layernorm(x))

        def attend(self, a, y, mask, cos, sin):
            b, s, h = y.shape
            n, groups = self.c.num_attention_heads, self.c.num_attention_heads // self.c.num_key_value_heads
            d = h // n
            q, k, v = (m(y).view(b, s, -1, d).transpose(1, 2) for m in (a.q_proj, a.k_proj, a.v_proj))
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)

            def repeat(t):
                return t if groups == 1 else t[:, :, None].expand(b, n // groups, groups, s, d).reshape(b, n, s, d)

            y = attend(q, repeat(k), repeat(v), mask, self.c._attn_implementation == "sdpa")
            return a.o_proj(y.transpose(1, 2).reshape(b, s, h))

    def __init__(self, c):
        super().__init__()
        self.config = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList([self.Layer(c) for _ in range(c.num_hidden_layers)])
        self.norm = RMSNorm(c.hidden_size, c.eps)

    def forward(self, input_ids, attention_mask, **_):
        x, d = self.embed_tokens(input_ids), self.config.hidden_size // self.config.num_attention_heads
        cos, sin = angles(torch.arange(input_ids.shape[1]), d, self.config.rope_theta)
        mask, hidden = hide(attention_mask, x.dtype), [x]
        for l in self.layers:
            x = l(x, mask, cos, sin)
            hidden.append(x)
        return Output(last_hidden_state=self.norm(x), hidden_states=hidden)
