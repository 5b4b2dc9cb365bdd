using CsCheck;
using Toolkit.Data;

namespace Toolkit.Tests.Data;

public sealed class SequencePackerTests
{
    private static readonly Gen<(int Tokens, int Batch, int Time, long Seed)> Shapes =
        Gen.Select(Gen.Int[2, 300], Gen.Int[1, 7], Gen.Int[1, 20], Gen.Long).Select(s => (Math.Max(s.Item1, s.Item3 + 1), s.Item2, s.Item3, s.Item4));

    [Fact]
    public void Targets_are_the_ids_that_follow_the_inputs() => Shapes.Sample(
        s =>
        {
            using var batch = Packer(s).Next();
            Assert.Equal([s.Batch, s.Time], batch.Inputs.shape);
            Assert.Equal(Values(batch.Inputs).Select(id => (id + 1) % s.Tokens), Values(batch.Targets));
        },
        iter: 50);

    [Fact]
    public void An_epoch_uses_no_token_twice_and_leaves_out_less_than_a_row() => Shapes.Sample(
        s =>
        {
            // A batch of one row, so that batches end where epochs do.
            var packer = Packer(s with { Batch = 1 });
            for (var epoch = 0; epoch < 3; epoch++)
            {
                var seen = Enumerable.Range(0, packer.RowsPerEpoch).SelectMany(_ => Next(packer)).ToArray();
                Assert.Equal(epoch + 1, packer.Position.Epoch);
                Assert.Equal(seen.Length, seen.Distinct().Count());
                Assert.InRange(s.Tokens - seen.Length, 0, s.Time - 1);
            }
        },
        iter: 50);

    [Fact]
    public void Over_epochs_every_token_is_used_as_often_as_any_other() => Shapes.Sample(
        s =>
        {
            var packer = Packer(s with { Batch = 1 });
            var counts = new int[s.Tokens];
            for (var epoch = 0; epoch < 5; epoch++)
            {
                for (var row = 0; row < packer.RowsPerEpoch; row++)
                {
                    foreach (var id in Next(packer))
                    {
                        counts[id]++;
                    }
                }

                Assert.InRange(counts.Max() - counts.Min(), 0, 1);
            }
        },
        iter: 30);

    [Fact]
    public void A_restored_position_goes_on_with_the_same_batches() => Gen.Select(Shapes, Gen.Int[0, 30]).Sample(
        (s, skipped) =>
        {
            var (first, second, restored) = (Packer(s), Packer(s), Packer(s));
            for (var i = 0; i < skipped; i++)
            {
                Assert.Equal(Next(first), Next(second));
            }

            restored.Position = first.Position;
            for (var i = 0; i < 5; i++)
            {
                Assert.Equal(Next(first), Next(restored));
            }

            Assert.Equal(first.Position, restored.Position);
        },
        iter: 30);

    [Fact]
    public void Epochs_and_seeds_have_orders_of_their_own()
    {
        var (a, b) = (Packer((1000, 100, 10, 1)), Packer((1000, 100, 10, 2)));
        var (first, second) = (Next(a), Next(a));
        Assert.Equal(first.Order(), second.Order());
        Assert.NotEqual(first, second);
        Assert.NotEqual(first, Next(b));
        Assert.NotEqual(first, first.Order());
    }

    [Fact]
    public void The_order_is_the_same_on_every_machine() =>
        Assert.Equal([6, 7, 2, 5, 1, 0, 3, 4], Next(Packer((8, 8, 1, 42))).Select(i => (int)i));

    [Fact]
    public void A_corpus_that_fills_no_row_is_refused_with_the_numbers()
    {
        var message = Assert.Throws<ArgumentException>(() => new SequencePacker(Corpus(8), 1, 8, 0)).Message;
        Assert.Contains("8 tokens", message, StringComparison.Ordinal);
        Assert.Contains("needs 9", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Packer((10, 1, 3, 0)).Position = new StreamPosition(0, 3));
    }

    /// <summary>Ids that are their own position.</summary>
    private static TokenizedCorpus Corpus(int tokens) => TokenizedCorpus.FromIds([.. Enumerable.Range(0, tokens)], new int[tokens]);

    private static SequencePacker Packer((int Tokens, int Batch, int Time, long Seed) s) => new(Corpus(s.Tokens), s.Batch, s.Time, s.Seed);

    private static long[] Next(SequencePacker packer)
    {
        using var batch = packer.Next();
        return Values(batch.Targets);
    }

    private static long[] Values(TorchSharp.torch.Tensor tensor) => tensor.data<long>().ToArray();
}
