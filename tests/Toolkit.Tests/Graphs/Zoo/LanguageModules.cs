using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>Language models as people write them in TorchSharp.</summary>
internal static class LanguageModules
{
    /// <summary>GPT-2 in the way of nanoGPT.</summary>
    public sealed class NanoGpt : Module<Tensor, Tensor>
    {
        private readonly Embedding wte;
        private readonly Embedding wpe;
        private readonly Dropout drop;
        private readonly ModuleList<GptBlock> h;
        private readonly LayerNorm ln_f;
        private readonly Linear lm_head;
        private readonly int _blockSize;

        public NanoGpt(int vocabulary, int blockSize, int layers, int heads, int width, bool flash, double dropout = 0.1)
            : base(nameof(NanoGpt))
        {
            _blockSize = blockSize;
            wte = Embedding(vocabulary, width);
            wpe = Embedding(blockSize, width);
            drop = Dropout(dropout);
            h = new ModuleList<GptBlock>([.. Enumerable.Range(0, layers).Select(_ => new GptBlock(width, heads, blockSize, flash, dropout))]);
            ln_f = LayerNorm(width);
            lm_head = Linear(width, vocabulary, hasBias: false);
            RegisterComponents();
        }

        public override Tensor forward(Tensor idx)
        {
            var (b, t) = (idx.shape[0], idx.shape[1]);
            if (t > _blockSize)
            {
                throw new ArgumentException($"Cannot forward sequence of length {t}, block size is only {_blockSize}");
            }

            using var scope = NewDisposeScope();
            var pos = arange(0, t, dtype: ScalarType.Int64, device: idx.device); // (T)
            var x = drop.forward(wte.forward(idx) + wpe.forward(pos)); // (B, T, C)
            foreach (var block in h)
            {
                x = block.forward(x);
            }

            x = ln_f.forward(x);
            return lm_head.forward(x).MoveToOuterDisposeScope();
        }
    }

    /// <summary>Attention and a multilayer perceptron.</summary>
    public sealed class GptBlock : Module<Tensor, Tensor>
    {
        private readonly LayerNorm ln_1;
        private readonly CausalSelfAttention attn;
        private readonly LayerNorm ln_2;
        private readonly Sequential mlp;

        public GptBlock(int width, int heads, int blockSize, bool flash, double dropout)
            : base(nameof(GptBlock))
        {
            ln_1 = LayerNorm(width);
            attn = new CausalSelfAttention(width, heads, blockSize, flash, dropout);
            ln_2 = LayerNorm(width);
            mlp = Sequential(("c_fc", Linear(width, 4 * width)), ("gelu", GELU()), ("c_proj", Linear(4 * width, width)), ("dropout", Dropout(dropout)));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            x = x + attn.forward(ln_1.forward(x));
            x = x + mlp.forward(ln_2.forward(x));
            return x;
        }
    }

    /// <summary>Causal attention, by hand or with libtorch's kernel.</summary>
    public sealed class CausalSelfAttention : Module<Tensor, Tensor>
    {
        private readonly Linear c_attn;
        private readonly Linear c_proj;
        private readonly Dropout attn_dropout;
        private readonly Tensor bias;
        private readonly int n_head;
        private readonly bool flash;

        public CausalSelfAttention(int width, int heads, int blockSize, bool flash, double dropout)
            : base(nameof(CausalSelfAttention))
        {
            c_attn = Linear(width, 3 * width);
            c_proj = Linear(width, width);
            attn_dropout = Dropout(dropout);
            n_head = heads;
            this.flash = flash;
            bias = tril(ones(blockSize, blockSize)).view(1, 1, blockSize, blockSize);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (B, T, C) = (x.size(0), x.size(1), x.size(2));
            var parts = c_attn.forward(x).split(C, dim: 2);
            var q = parts[0].view(B, T, n_head, C / n_head).transpose(1, 2); // (B, H, T, D)
            var k = parts[1].view(B, T, n_head, C / n_head).transpose(1, 2);
            var v = parts[2].view(B, T, n_head, C / n_head).transpose(1, 2);
            Tensor y;
            if (flash)
            {
                y = functional.scaled_dot_product_attention(q, k, v, is_casual: true);
            }
            else
            {
                var att = q.matmul(k.transpose(-2, -1)) * (1.0 / Math.Sqrt(k.size(-1)));
                att = att.masked_fill(bias[.., .., ..(int)T, ..(int)T].eq(0), float.NegativeInfinity);
                att = functional.softmax(att, dim: -1);
                att = attn_dropout.forward(att);
                y = att.matmul(v);
            }

            y = y.transpose(1, 2).contiguous().view(B, T, C);
            return c_proj.forward(y);
        }
    }

    /// <summary>A Llama block in plain TorchSharp: grouped heads, rotary positions, SwiGLU.</summary>
    public sealed class LlamaBlock : Module<Tensor, Tensor>
    {
        private readonly Linear q_proj;
        private readonly Linear k_proj;
        private readonly Linear v_proj;
        private readonly Linear o_proj;
        private readonly Linear gate;
        private readonly Linear up;
        private readonly Linear down;
        private readonly Parameter attention_norm;
        private readonly Parameter ffn_norm;
        private readonly (int Heads, int KeyValueHeads, int Dimension) _shape;

        public LlamaBlock(int width, int heads, int keyValueHeads, int hidden)
            : base(nameof(LlamaBlock))
        {
            _shape = (heads, keyValueHeads, width / heads);
            q_proj = Linear(width, width, hasBias: false);
            k_proj = Linear(width, keyValueHeads * _shape.Dimension, hasBias: false);
            v_proj = Linear(width, keyValueHeads * _shape.Dimension, hasBias: false);
            o_proj = Linear(width, width, hasBias: false);
            gate = Linear(width, hidden, hasBias: false);
            up = Linear(width, hidden, hasBias: false);
            down = Linear(hidden, width, hasBias: false);
            attention_norm = Parameter(ones(width) + 0.1 * randn(width));
            ffn_norm = Parameter(ones(width) - 0.1 * randn(width));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var h = x + Attend(RmsNorm(x, attention_norm));
            var n = RmsNorm(h, ffn_norm);
            return h + down.forward(functional.silu(gate.forward(n)) * up.forward(n));
        }

        private static Tensor RmsNorm(Tensor x, Tensor weight, double eps = 1e-5)
        {
            var wide = x.to(ScalarType.Float32);
            return (wide * rsqrt(wide.pow(2).mean([-1], keepdim: true) + eps)).type_as(x) * weight;
        }

        private static Tensor Rotate(Tensor x, Tensor cos, Tensor sin)
        {
            var halves = x.chunk(2, dim: -1);
            return x * cos + cat([-halves[1], halves[0]], dim: -1) * sin;
        }

        private Tensor Attend(Tensor x)
        {
            var (heads, keyValueHeads, dimension) = _shape;
            var (batch, time) = (x.shape[0], x.shape[1]);
            var q = q_proj.forward(x).view(batch, time, heads, dimension).transpose(1, 2);
            var k = k_proj.forward(x).view(batch, time, keyValueHeads, dimension).transpose(1, 2);
            var v = v_proj.forward(x).view(batch, time, keyValueHeads, dimension).transpose(1, 2);
            var frequencies = 1.0 / pow(10000.0f, arange(0, dimension, 2, dtype: ScalarType.Float32) / dimension);
            var angles = outer(arange(time, dtype: ScalarType.Float32), frequencies);
            angles = cat([angles, angles], dim: -1);
            var (cos, sin) = (angles.cos().to(x.dtype), angles.sin().to(x.dtype));
            (q, k) = (Rotate(q, cos, sin), Rotate(k, cos, sin));
            k = k.repeat_interleave(heads / keyValueHeads, dim: 1);
            v = v.repeat_interleave(heads / keyValueHeads, dim: 1);
            var scores = matmul(q, k.transpose(2, 3)) / Math.Sqrt(dimension);
            var mask = full([time, time], float.NegativeInfinity).triu(1).to(x.dtype);
            var attention = functional.softmax((scores + mask).to(ScalarType.Float32), -1).to(x.dtype);
            return o_proj.forward(matmul(attention, v).transpose(1, 2).reshape(batch, time, -1));
        }
    }

    /// <summary>Attention with linear biases, the slopes made by a helper.</summary>
    public sealed class AlibiAttention : Module<Tensor, Tensor>
    {
        private readonly Linear qkv;
        private readonly float[] _slopes;

        public AlibiAttention(int width, int heads)
            : base(nameof(AlibiAttention))
        {
            qkv = Linear(width, 3 * width);
            _slopes = [.. Enumerable.Range(1, heads).Select(i => MathF.Pow(2, -8f * i / heads))];
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var (b, t, c) = (x.shape[0], x.shape[1], x.shape[2]);
            var heads = _slopes.Length;
            var all = qkv.forward(x).view(b, t, 3, heads, c / heads).permute(2, 0, 3, 1, 4); // (3, B, H, T, D)
            var (q, k, v) = (all[0], all[1], all[2]);
            var scores = einsum("bhid,bhjd->bhij", q, k).div(Math.Sqrt(c / heads)) + Bias(t).to(x.dtype);
            return einsum("bhij,bhjd->bhid", scores.softmax(-1), v).permute(0, 2, 1, 3).flatten(2);
        }

        private Tensor Bias(long time)
        {
            var distance = arange(time).unsqueeze(0) - arange(time).unsqueeze(1);
            var bias = distance.to(ScalarType.Float32).unsqueeze(0) * tensor(_slopes).view(-1, 1, 1);
            return bias.masked_fill(distance.gt(0), float.NegativeInfinity);
        }
    }

    /// <summary>All experts, weighted.</summary>
    public sealed class SoftExperts : Module<Tensor, Tensor>
    {
        private readonly Linear gate;
        private readonly ModuleList<Sequential> experts;

        public SoftExperts(int width, int count)
            : base(nameof(SoftExperts))
        {
            gate = Linear(width, count);
            experts = new ModuleList<Sequential>([.. Enumerable.Range(0, count).Select(_ => Sequential(Linear(width, 2 * width), ReLU(), Linear(2 * width, width)))]);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var weights = functional.softmax(gate.forward(x), -1).unsqueeze(-2); // (..., 1, E)
            var outputs = stack(experts.Select(expert => expert.forward(x)), dim: -1); // (..., C, E)
            return (outputs * weights).sum(-1);
        }
    }

    /// <summary>The best experts of each token, by gathering their weights.</summary>
    public sealed class TopExperts : Module<Tensor, Tensor>
    {
        private readonly Linear gate;
        private readonly Parameter inner;
        private readonly Parameter outer;
        private readonly int _active;

        public TopExperts(int width, int count, int active)
            : base(nameof(TopExperts))
        {
            gate = Linear(width, count, hasBias: false);
            inner = Parameter(randn(count, width, 2 * width) / Math.Sqrt(width));
            outer = Parameter(randn(count, 2 * width, width) / Math.Sqrt(2 * width));
            _active = active;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var tokens = x.reshape(-1, x.shape[^1]); // (N, C)
            var (scores, picks) = gate.forward(tokens).topk(_active, dim: -1);
            var share = functional.softmax(scores, -1);
            var result = zeros_like(tokens);
            for (var i = 0; i < _active; i++)
            {
                var pick = picks.select(1, i);
                var hidden = functional.gelu(bmm(tokens.unsqueeze(1), inner[pick]));
                result += bmm(hidden, outer[pick]).squeeze(1) * share[.., i].unsqueeze(-1);
            }

            return result.view_as(x);
        }
    }
}
