namespace Toolkit.Graphs.Dispatch;

/// <summary>
/// Lists in which tensors may be missing. libtorch exports nothing that makes one, and takes a list of tensors for one only where none is missing: so the type of the items is learnt from a list
/// that libtorch makes itself (the self-test indexes with one), and put on lists of tensors.
/// </summary>
internal static unsafe class OptionalTensorList
{
    // A list: table of functions, reference counts, a vector of values, then the type of its items as a C++ shared pointer (object, counts).
    private const int TypeOffset = 40;
    private static nint _type;
    private static nint _counts;

    /// <summary>Learns the type from a list that libtorch made.</summary>
    public static void Learn(BoxedValue* list)
    {
        if (_type == 0)
        {
            var type = (nint*)(list->Payload + TypeOffset);
            Count(type[1], 1);
            (_counts, _type) = (type[1], type[0]);
        }
    }

    /// <summary>Turns a list of tensors that nobody else holds into one in which those that are none are missing.</summary>
    /// <exception cref="GraphException">The type is not known.</exception>
    public static void Convert(BoxedValue* list, nint undefined)
    {
        if (_type == 0)
        {
            throw new GraphException("a list with missing tensors cannot be made");
        }

        var type = (nint*)(list->Payload + TypeOffset);
        Count(_counts, 1);
        Count(type[1], -1);
        (type[0], type[1]) = (_type, _counts);
        foreach (ref var item in list->Items)
        {
            item = item.Payload == undefined ? default : item;
        }
    }

    private static void Count(nint counts, int change)
    {
        // The use count of a shared pointer's counts; libtorch itself holds both types for good, so it never reaches zero.
        if (counts != 0)
        {
            Interlocked.Add(ref *(int*)(counts + 8), change);
        }
    }
}
