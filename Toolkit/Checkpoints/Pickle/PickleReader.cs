using System.Buffers.Binary;
using System.Text;

namespace Toolkit.Checkpoints;

/// <summary>
/// Reads the pickle of a torch.save file as data: a stack machine that knows the instructions and the names that tensors need and refuses everything else
/// (https://docs.python.org/3/library/pickletools.html). Nothing is executed, imported or constructed but dictionaries, lists, tuples, texts, numbers and
/// descriptions of tensors.
/// </summary>
internal ref struct PickleReader
{
    private const int MostDimensions = 64;
    private static readonly object Mark = new();
    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);
    private readonly ReadOnlySpan<byte> _bytes;
    private readonly string _path;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _at;

    private PickleReader(ReadOnlySpan<byte> bytes, string path)
    {
        _bytes = bytes;
        _path = path;
    }

    /// <summary>What the pickle holds: null, bool, long, double, string, object?[] (a tuple), List, Dictionary of texts, or <see cref="PickleTensor"/>.</summary>
    /// <exception cref="CheckpointException">It is malformed, or asks for anything else.</exception>
    public static object? Read(ReadOnlySpan<byte> bytes, string path) => new PickleReader(bytes, path).Run();

    private object? Run()
    {
        while (true)
        {
            var code = Take(1)[0];
            if (code == (byte)'.')
            {
                return Pop();
            }

            Step(code);
        }
    }

    private void Step(byte code)
    {
        switch (code)
        {
            case 0x80: Protocol(Take(1)[0]); break;
            case (byte)'(': _stack.Add(Mark); break;
            case (byte)'0': Pop(); break;
            case (byte)'N': _stack.Add(null); break;
            case 0x88: _stack.Add(true); break;
            case 0x89: _stack.Add(false); break;
            case (byte)'J': _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
            case (byte)'K': _stack.Add((long)Take(1)[0]); break;
            case (byte)'M': _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
            case 0x8A: _stack.Add(LongInteger(Take(Take(1)[0]))); break;
            case (byte)'G': _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
            case (byte)'X': _stack.Add(Text(Take(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))))); break;
            case (byte)'}': _stack.Add(new Dictionary<string, object?>(StringComparer.Ordinal)); break;
            case (byte)']': _stack.Add(new List<object?>()); break;
            case (byte)')': _stack.Add(Array.Empty<object?>()); break;
            case 0x85: Tuple(1); break;
            case 0x86: Tuple(2); break;
            case 0x87: Tuple(3); break;
            case (byte)'t': _stack.Add(PopToMark()); break;
            case (byte)'a': Append(PopMany(1)); break;
            case (byte)'e': Append(PopToMark()); break;
            case (byte)'s': SetItems(PopMany(2)); break;
            case (byte)'u': SetItems(PopToMark()); break;
            case (byte)'q': Remember(Take(1)[0]); break;
            case (byte)'r': Remember(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case (byte)'h': Recall(Take(1)[0]); break;
            case (byte)'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
            case (byte)'c': _stack.Add(Global(Line(), Line())); break;
            case (byte)'Q': _stack.Add(Storage(Pop())); break;
            case (byte)'R': Reduce(); break;
            case (byte)'b': Build(); break;
            default: throw Refused($"the instruction 0x{code:X2}, which tensors do not need");
        }
    }

    private void Protocol(byte version)
    {
        if (version is < 2 or > 5)
        {
            throw Refused($"version {version} of the format");
        }
    }

    private PickleGlobal Global(string module, string name) => PickleGlobal.Find(module, name)
        ?? throw Refused($"{CheckpointException.Shorten(module)}.{CheckpointException.Shorten(name)}, which tensors do not need");

    private void Build()
    {
        // Modules keep the versions of their parts as an attribute of the dictionary, which is of no use here.
        Pop();
        if (Peek() is not Dictionary<string, object?>)
        {
            throw Refused("the state of an object that is no dictionary");
        }
    }

    private void Reduce()
    {
        var arguments = Pop() as object?[] ?? throw Malformed("a call has no tuple of arguments");
        var function = Pop() as PickleGlobal ?? throw Malformed("something is called that is no function");
        _stack.Add(function.Kind switch
        {
            PickleGlobalKind.Dictionary when arguments.Length == 0 => new Dictionary<string, object?>(StringComparer.Ordinal),
            PickleGlobalKind.Tensor => Tensor(arguments),
            PickleGlobalKind.Parameter when arguments is [PickleTensor tensor, bool, Dictionary<string, object?> { Count: 0 }] => tensor,
            _ => throw Refused($"{function.Module}.{function.Name} with {arguments.Length} arguments of other kinds than tensors have"),
        });
    }

    private PickleTensor Tensor(object?[] arguments) =>
        arguments is [PickleStorage storage, long offset, object?[] shape, object?[] strides, bool, null or Dictionary<string, object?> { Count: 0 }, ..]
        && (arguments.Length == 6 || (arguments.Length == 7 && arguments[6] is null or Dictionary<string, object?> { Count: 0 }))
            ? new(storage, offset, Numbers(shape), Numbers(strides))
            : throw Refused("torch._utils._rebuild_tensor_v2 with other arguments than tensors have");

    private long[] Numbers(object?[] items)
    {
        if (items.Length > MostDimensions)
        {
            throw Malformed($"a tensor has {items.Length} dimensions, {MostDimensions} are the most");
        }

        var numbers = new long[items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            numbers[i] = items[i] is long number and >= 0 ? number : throw Malformed("a dimension of a tensor is no whole number from 0 on");
        }

        return numbers;
    }

    private PickleStorage Storage(object? id) => id is object?[] and ["storage", PickleGlobal { Kind: PickleGlobalKind.Storage } type, string key, string, long count and >= 0]
        ? new(type.Element!, key, count)
        : throw Refused("a persistent object that is no storage of numbers");

    private void Append(object?[] items)
    {
        var list = Peek() as List<object?> ?? throw Malformed("something is appended to what is no list");
        list.AddRange(items);
    }

    private void SetItems(object?[] items)
    {
        var dictionary = Peek() as Dictionary<string, object?> ?? throw Malformed("an item is set in what is no dictionary");
        if (items.Length % 2 != 0)
        {
            throw Malformed("a key has no value");
        }

        for (var i = 0; i < items.Length; i += 2)
        {
            dictionary[items[i] as string ?? throw Refused("a dictionary whose keys are no texts")] = items[i + 1];
        }
    }

    private void Tuple(int count) => _stack.Add(PopMany(count));

    private object?[] PopMany(int count)
    {
        var items = _stack.Count < count ? [Mark] : _stack.GetRange(_stack.Count - count, count).ToArray();
        if (Array.IndexOf(items, Mark) >= 0)
        {
            throw Malformed("it takes more than there is");
        }

        _stack.RemoveRange(_stack.Count - count, count);
        return items;
    }

    private object?[] PopToMark()
    {
        var mark = _stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw Malformed("it takes more than there is");
        }

        var items = _stack.GetRange(mark + 1, _stack.Count - mark - 1).ToArray();
        _stack.RemoveRange(mark, _stack.Count - mark);
        return items;
    }

    private object? Pop()
    {
        var top = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private readonly object? Peek() => _stack.Count > 0 && _stack[^1] != Mark ? _stack[^1] : throw Malformed("it takes more than there is");

    private readonly void Remember(uint index) => _memo[index] = Peek();

    private readonly void Recall(uint index) => _stack.Add(_memo.TryGetValue(index, out var value) ? value : throw Malformed($"it recalls number {index}, which was never remembered"));

    private readonly long LongInteger(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > sizeof(long))
        {
            throw Malformed($"a number of {bytes.Length} bytes is larger than tensors need");
        }

        var number = bytes.Length > 0 && (bytes[^1] & 0x80) != 0 ? -1L : 0;
        for (var i = bytes.Length - 1; i >= 0; i--)
        {
            number = (number << 8) | bytes[i];
        }

        return number;
    }

    private readonly string Text(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw Malformed("a text is not UTF-8");
        }
    }

    private string Line()
    {
        var length = _bytes[_at..].IndexOf((byte)'\n');
        if (length < 0)
        {
            throw Malformed("a line has no end");
        }

        var line = Text(_bytes.Slice(_at, length));
        _at += length + 1;
        return line;
    }

    private ReadOnlySpan<byte> Take(long count)
    {
        if (count > _bytes.Length - _at)
        {
            throw Malformed("it ends too early");
        }

        var taken = _bytes.Slice(_at, (int)count);
        _at += (int)count;
        return taken;
    }

    private readonly CheckpointException Refused(string what) => CheckpointException.In(_path, $"the pickle asks for {what}; nothing of it is executed");

    private readonly CheckpointException Malformed(string problem) => CheckpointException.In(_path, $"the pickle is malformed at byte {_at}: {problem}");
}
