using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Toolkit.Tests.Graphs.Zoo;

/// <summary>Networks for images.</summary>
internal static class VisionModules
{
    /// <summary>LeCun et al., 1998.</summary>
    public sealed class LeNet : Module<Tensor, Tensor>
    {
        private readonly Conv2d conv1 = Conv2d(1, 6, 5, padding: 2);
        private readonly Conv2d conv2 = Conv2d(6, 16, 5);
        private readonly Linear fc1 = Linear(16 * 5 * 5, 120);
        private readonly Linear fc2 = Linear(120, 84);
        private readonly Linear fc3 = Linear(84, 10);

        public LeNet()
            : base(nameof(LeNet)) => RegisterComponents();

        public override Tensor forward(Tensor x)
        {
            x = functional.max_pool2d(functional.relu(conv1.forward(x)), 2);
            x = functional.max_pool2d(functional.relu(conv2.forward(x)), 2);
            x = x.view(-1, 16 * 5 * 5);
            x = functional.relu(fc1.forward(x));
            x = functional.relu(fc2.forward(x));
            return functional.log_softmax(fc3.forward(x), 1);
        }
    }

    /// <summary>He et al., 2016.</summary>
    public sealed class ResidualBlock : Module<Tensor, Tensor>
    {
        private readonly Conv2d conv1;
        private readonly BatchNorm2d bn1;
        private readonly Conv2d conv2;
        private readonly BatchNorm2d bn2;
        private readonly Sequential? downsample;

        public ResidualBlock(int inChannels, int outChannels, int stride)
            : base(nameof(ResidualBlock))
        {
            conv1 = Conv2d(inChannels, outChannels, 3, stride: stride, padding: 1, bias: false);
            bn1 = BatchNorm2d(outChannels);
            conv2 = Conv2d(outChannels, outChannels, 3, padding: 1, bias: false);
            bn2 = BatchNorm2d(outChannels);
            downsample = stride != 1 || inChannels != outChannels ? Sequential(Conv2d(inChannels, outChannels, 1, stride: stride, bias: false), BatchNorm2d(outChannels)) : null;
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var identity = downsample?.forward(x) ?? x;
            var y = bn1.forward(conv1.forward(x)).relu_();
            y = bn2.forward(conv2.forward(y));
            y.add_(identity);
            return y.relu_();
        }
    }

    /// <summary>Down, up, and across.</summary>
    public sealed class SkipNet : Module<Tensor, Tensor>
    {
        private readonly ModuleList<Module<Tensor, Tensor>> down = new();
        private readonly ModuleList<Module<Tensor, Tensor>> up = new();
        private readonly Conv2d last;

        public SkipNet(int channels, int depth)
            : base(nameof(SkipNet))
        {
            for (var i = 0; i < depth; i++)
            {
                down.Add(Sequential(Conv2d(channels << i, channels << (i + 1), 3, padding: 1), SiLU()));
                up.Insert(0, Sequential(Conv2d(3 * (channels << i), channels << i, 3, padding: 1), SiLU()));
            }

            last = Conv2d(channels, 1, 1);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            var skips = new Stack<Tensor>();
            foreach (var stage in down)
            {
                skips.Push(x);
                x = functional.max_pool2d(stage.forward(x), 2);
            }

            foreach (var stage in up)
            {
                var skip = skips.Pop();
                x = functional.interpolate(x, size: [skip.shape[2], skip.shape[3]]);
                x = stage.forward(cat([x, skip], 1));
            }

            return last.forward(x);
        }
    }

    /// <summary>Narrow in the middle.</summary>
    public sealed class ConvAutoencoder : Module<Tensor, Tensor>
    {
        private readonly Sequential encoder = Sequential(Conv2d(1, 8, 3, stride: 2, padding: 1), ReLU(), Conv2d(8, 16, 3, stride: 2, padding: 1), ReLU());
        private readonly Sequential decoder = Sequential(ConvTranspose2d(16, 8, 2, stride: 2), ReLU(), Upsample(scale_factor: [2, 2]), Conv2d(8, 1, 3, padding: 1), Sigmoid());

        public ConvAutoencoder()
            : base(nameof(ConvAutoencoder)) => RegisterComponents();

        public override Tensor forward(Tensor x) => decoder.forward(encoder.forward(x));
    }

    /// <summary>Norms over groups of channels and over each channel.</summary>
    public sealed class NormNet : Module<Tensor, Tensor>
    {
        private readonly Conv2d conv = Conv2d(2, 8, 3, padding: 1);
        private readonly GroupNorm group = GroupNorm(4, 8);
        private readonly InstanceNorm2d instance = InstanceNorm2d(8, affine: true);

        public NormNet()
            : base(nameof(NormNet))
        {
            // TorchSharp leaves the parameters of a group norm as the memory was.
            init.ones_(group.weight!);
            init.zeros_(group.bias!);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x)
        {
            using var _ = NewDisposeScope();
            var y = functional.leaky_relu(group.forward(conv.forward(x)), 0.2);
            return instance.forward(y).relu().mean([2, 3]).MoveToOuterDisposeScope();
        }
    }

    /// <summary>Patches with a class token and positions (Dosovitskiy et al., 2021).</summary>
    public sealed class PatchEmbedding : Module<Tensor, Tensor>
    {
        private readonly Conv2d projection;
        private readonly Parameter cls_token;
        private readonly Parameter positions;

        public PatchEmbedding(int image, int patch, int width)
            : base(nameof(PatchEmbedding))
        {
            projection = Conv2d(1, width, patch, stride: patch);
            cls_token = Parameter(randn(1, 1, width));
            positions = Parameter(randn(1, (image / patch * (image / patch)) + 1, width));
            RegisterComponents();
        }

        public override Tensor forward(Tensor images)
        {
            var patches = projection.forward(images).flatten(2).transpose(1, 2); // (B, N, C)
            var tokens = cat([cls_token.expand(images.shape[0], -1, -1), patches], dim: 1);
            return functional.layer_norm(tokens + positions, [tokens.shape[^1]])[.., 0];
        }
    }
}
