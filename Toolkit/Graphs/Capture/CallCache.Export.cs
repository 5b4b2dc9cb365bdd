using Toolkit.Graphs.Cpu;
using static TorchSharp.torch;

namespace Toolkit.Graphs.Capture;

/// <content>Captured calls for files.</content>
internal sealed partial class CallCache
{
    /// <summary>Hands out the module, its captured calls and how they are compiled; none is captured meanwhile.</summary>
    /// <exception cref="CompiledArtifactException">A break is in the way: what ends early has no graph that could be written.</exception>
    public void Export(Action<nn.Module, IReadOnlyList<Specialization>, CpuOptions?> write)
    {
        Begin();
        try
        {
            lock (_lock)
            {
                if (_graphs.Length == 0 && _breaks.Length > 0)
                {
                    throw new CompiledArtifactException($"the module cannot be captured whole: {_breaks[^1].Break}");
                }

                write(_module, _graphs, _options.Cpu is null ? null : _options.Cpu with { Forms = null });
            }
        }
        finally
        {
            _calls.End();
        }
    }

    /// <summary>The calls that differ from a captured one in sizes only; null where there are none. To be asked while the calls are handed out.</summary>
    public SizeFamily? FamilyOf(Specialization captured)
    {
        var first = _sizes.GetValueOrDefault(captured, captured);
        return _families.LastOrDefault(entry => entry.Captured == captured || entry.First == first).Family;
    }
}
