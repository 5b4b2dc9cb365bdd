using Toolkit.Ops;
using static TorchSharp.torch;

namespace Toolkit.Data;

/// <summary>
/// Cuts a corpus into rows of T + 1 consecutive ids and deals them out in batches, in another order every epoch. The stream is a ring: an epoch
/// starts where the last one ended, so no token is seen twice in one epoch, fewer than T are left out of it, and those come first in the next.
/// </summary>
public sealed class SequencePacker
{
    private readonly TokenizedCorpus _corpus;
    private readonly int _batchSize;
    private readonly int _sequenceLength;
    private readonly long _seed;
    private readonly int[] _order;
    private StreamPosition _position;
    private long _orderEpoch = -1;

    /// <summary>A packer at the start of its stream.</summary>
    /// <param name="corpus">The ids.</param>
    /// <param name="batchSize">Rows of a batch.</param>
    /// <param name="sequenceLength">T: inputs, and targets, of a row.</param>
    /// <param name="seed">The same seed deals out the same batches.</param>
    /// <exception cref="ArgumentException">The corpus does not fill one row.</exception>
    public SequencePacker(TokenizedCorpus corpus, int batchSize, int sequenceLength, long seed)
    {
        ArgumentNullException.ThrowIfNull(corpus);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sequenceLength);
        if (corpus.Ids.Length <= sequenceLength)
        {
            throw new ArgumentException(
                $"the corpus has {corpus.Ids.Length} tokens; one row of sequence length {sequenceLength} needs {sequenceLength + 1}", nameof(corpus));
        }

        (_corpus, _batchSize, _sequenceLength, _seed) = (corpus, batchSize, sequenceLength, seed);
        _order = new int[corpus.Ids.Length / sequenceLength];
    }

    /// <summary>Rows of an epoch.</summary>
    public int RowsPerEpoch => _order.Length;

    /// <summary>Where the next batch begins. A packer of the same corpus, shape and seed that is set to it goes on with the same batches.</summary>
    /// <exception cref="ArgumentOutOfRangeException">An epoch has no such row.</exception>
    public StreamPosition Position
    {
        get => _position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value.Epoch);
            ArgumentOutOfRangeException.ThrowIfNegative(value.Row);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(value.Row, RowsPerEpoch);
            _position = value;
        }
    }

    /// <summary>The next batch; it belongs to the caller, or to the caller's dispose scope.</summary>
    public unsafe Batch Next()
    {
        var batch = new Batch(empty([_batchSize, _sequenceLength], ScalarType.Int64), empty([_batchSize, _sequenceLength], ScalarType.Int64));
        var inputs = (long*)CpuKernel.Pointer(batch.Inputs);
        var targets = (long*)CpuKernel.Pointer(batch.Targets);
        var ids = _corpus.Ids;
        for (var row = 0; row < _batchSize; row++)
        {
            var at = NextStart();
            for (var i = 0; i < _sequenceLength; i++)
            {
                *inputs++ = ids[at];
                at = at + 1 == ids.Length ? 0 : at + 1;
                *targets++ = ids[at];
            }
        }

        GC.KeepAlive(batch.Inputs);
        GC.KeepAlive(batch.Targets);
        return batch;
    }

    private int NextStart()
    {
        var (epoch, row) = _position;
        if (_orderEpoch != epoch)
        {
            Shuffle(epoch);
        }

        _position = row + 1 == RowsPerEpoch ? new(epoch + 1, 0) : new(epoch, row + 1);
        var start = ((Int128)epoch * RowsPerEpoch) + _order[row];
        return (int)(start * _sequenceLength % _corpus.Ids.Length);
    }

    private void Shuffle(long epoch)
    {
        var generator = new SplitMix64((ulong)_seed, (ulong)epoch);
        for (var i = 0; i < _order.Length; i++)
        {
            // Fisher and Yates, from the inside out.
            var j = generator.Below(i + 1);
            (_order[i], _order[j]) = (_order[j], i);
        }

        _orderEpoch = epoch;
    }
}

/// <summary>A place in the stream of a <see cref="SequencePacker"/>.</summary>
/// <param name="Epoch">Epochs completed.</param>
/// <param name="Row">Rows of this epoch already dealt out.</param>
public readonly record struct StreamPosition(long Epoch, int Row);
