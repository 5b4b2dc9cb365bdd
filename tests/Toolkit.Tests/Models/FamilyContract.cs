using Toolkit.Models;
using static TorchSharp.torch;

namespace Toolkit.Tests.Models;

/// <summary>What holds for every model of every family.</summary>
internal static class FamilyContract
{
    /// <summary>Prefill, a second part, and single tokens give the logits of the whole.</summary>
    public static void CacheChangesNothing(CausalModel model, Tensor ids, float tolerance = 5e-5f)
    {
        var (batch, time) = ((int)ids.shape[0], ids.shape[1]);
        var whole = model.forward(ids);
        using var cache = model.NewState(batch, (int)time);
        var parts = new List<Tensor> { model.Forward(ids.narrow(1, 0, 20), cache), model.Forward(ids.narrow(1, 20, 5), cache) };
        for (var i = 25L; i < time; i++)
        {
            parts.Add(model.Forward(ids.narrow(1, i, 1), cache));
        }

        Assert.InRange(Tensors.Difference(cat(parts, 1), whole), 0, tolerance);
    }

    /// <summary>Sequences of other lengths beside it, padded on the left, through the cache too, or on the right, change no sequence's logits.</summary>
    public static void PaddingChangesNothing(CausalModel model, Tensor ids)
    {
        int[] lengths = [24, 9, 17];
        var rows = lengths.Select((length, i) => ids.narrow(0, i % ids.shape[0], 1).narrow(1, i, length)).ToArray();
        var alone = rows.Select(row => model.forward(row)).ToArray();
        var longest = lengths.Max();
        var padding = full([1, longest], 7, ScalarType.Int64);
        foreach (var left in new[] { true, false })
        {
            Tensor Pad(Tensor row, Tensor with) => left ? cat([with.narrow(1, 0, longest - row.shape[1]), row], 1) : cat([row, with.narrow(1, 0, longest - row.shape[1])], 1);
            var batch = cat(rows.Select(row => Pad(row, padding)).ToArray());
            var mask = cat(rows.Select(row => Pad(ones_like(row), zeros_like(padding))).ToArray());
            Check(model.Forward(batch, mask, null), left);
            if (left)
            {
                using var cache = model.NewState(rows.Length, longest);
                var parts = new List<Tensor> { model.Forward(batch.narrow(1, 0, 19), mask.narrow(1, 0, 19), cache) };
                for (var i = 19; i < longest; i++)
                {
                    parts.Add(model.Forward(batch.narrow(1, i, 1), mask.narrow(1, 0, i + 1), cache));
                }

                Check(cat(parts, 1), left);
            }
        }

        void Check(Tensor logits, bool left)
        {
            for (var i = 0; i < rows.Length; i++)
            {
                var own = logits.narrow(0, i, 1).narrow(1, left ? longest - lengths[i] : 0, lengths[i]);
                Assert.InRange(Tensors.Difference(own, alone[i]), 0, 5e-5f);
            }
        }
    }

    /// <summary>Every matrix of the blocks and the head is in exactly one group of the topology, and a group's linears share their input's width.</summary>
    public static void TopologyIsWhole(Decoder model)
    {
        var groups = model.Topology.ToArray();
        var linears = groups.SelectMany(group => group.Linears).ToArray();
        Assert.Equal(linears.Length, linears.Distinct().Count());
        Assert.All(groups, group => Assert.Single(group.Linears.Select(linear => linear.Inputs).Distinct()));
        var positions = model.named_parameters().SingleOrDefault(p => p.name.EndsWith("wpe.weight") || p.name.EndsWith("embed_positions.weight")).parameter;
        Assert.Equal(
            model.named_parameters().Where(p => p.parameter.dim() == 2).Sum(p => p.parameter.numel()) - model.Embedding.Weight.numel() - (positions?.numel() ?? 0),
            linears.Sum(linear => linear.Inputs * linear.Outputs));
        foreach (var block in Enumerable.Range(0, model.Config.Layers))
        {
            Assert.Equal(1 + Math.Max(model.Config.Experts, 1), groups.Count(group => group.Block == block && group.WritesResidual));
            Assert.All(groups.Where(group => group.Block == block && group.WritesResidual), group => Assert.Equal(model.Config.Width, group.Linears.Single().Outputs));
        }
    }
}
