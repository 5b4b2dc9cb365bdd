using Toolkit.Graphs;
using TorchSharp;
using static TorchSharp.torch;

namespace Toolkit.Tests.Graphs.Export;

/// <summary>Tests that save compiled modules in a folder of their own.</summary>
public abstract class ArtifactTests : InferenceTests
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("toolkit-artifact-");

    protected string Folder => _folder.FullName;

    protected override void Clean() => _folder.Delete(true);

    protected static nn.Module<Tensor, Tensor> Mlp() => nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4));

    protected static void Close(Tensor expected, Tensor actual) => Assert.True(actual.allclose(expected, 1e-5, 1e-6), $"{expected.str()}\n{actual.str()}");

    protected string Save(ICompiledModule compiled)
    {
        var path = Path.Combine(Folder, "module.tkx");
        compiled.Save(path);
        return path;
    }
}
