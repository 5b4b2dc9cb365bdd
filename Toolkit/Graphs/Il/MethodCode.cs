using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;

namespace Toolkit.Graphs.Il;

/// <summary>The body of a method, decoded: instructions, locals, regions of exception handlers, and what its tokens name.</summary>
internal sealed class MethodCode
{
    private static readonly ConditionalWeakTable<MethodBase, MethodCode> _cache = [];

    private readonly Type[]? _typeArguments;
    private readonly Type[]? _methodArguments;
    private readonly Dictionary<int, int> _places = [];
    private string? _obstacle;
    private bool _scanned;

    private MethodCode(MethodBase method, MethodBody body)
    {
        Method = method;
        _typeArguments = method.DeclaringType is { IsGenericType: true } type ? type.GetGenericArguments() : null;
        _methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
        Locals = [.. body.LocalVariables.OrderBy(local => local.LocalIndex).Select(local => local.LocalType)];
        HasPinnedLocals = body.LocalVariables.Any(local => local.IsPinned);
        Handlers = [.. body.ExceptionHandlingClauses];
        Arguments = [.. Receiver(method), .. method.GetParameters().Select(parameter => parameter.ParameterType)];
        Returns = method is MethodInfo info ? info.ReturnType : typeof(void);
        Instructions = InstructionReader.Read(body.GetILAsByteArray() ?? []);
        for (var i = 0; i < Instructions.Length; i++)
        {
            _places[Instructions[i].Offset] = i;
        }

        foreach (var instruction in Instructions)
        {
            if (InstructionReader.IsJump(instruction.Code))
            {
                instruction.Integer = _places[instruction.Number];
            }

            instruction.Targets = [.. instruction.Targets.Select(target => _places[target])];
        }
    }

    /// <summary>The method.</summary>
    public MethodBase Method { get; }

    /// <summary>What it does, in order.</summary>
    public Instruction[] Instructions { get; }

    /// <summary>Types of the local variables.</summary>
    public Type[] Locals { get; }

    /// <summary>Types of the arguments, the receiver first: a reference where it is a value.</summary>
    public Type[] Arguments { get; }

    /// <summary>What is returned.</summary>
    public Type Returns { get; }

    /// <summary>Regions that catch, filter or clean up, inner ones first.</summary>
    public ExceptionHandlingClause[] Handlers { get; }

    /// <summary>Why it cannot be interpreted; null where it can.</summary>
    public string? Obstacle
    {
        get
        {
            if (!_scanned)
            {
                _obstacle = Scan();
                _scanned = true;
            }

            return _obstacle;
        }
    }

    private bool HasPinnedLocals { get; }

    /// <summary>The code of a method; null where it has none that can be read (native, abstract, emitted at run time).</summary>
    public static MethodCode? Of(MethodBase method)
    {
        if (_cache.TryGetValue(method, out var known))
        {
            return known;
        }

        if (method.ContainsGenericParameters || Read(method) is not { } body)
        {
            return null;
        }

        var code = new MethodCode(method, body);
        _cache.AddOrUpdate(method, code);
        return code;
    }

    /// <summary>Place of the instruction at an offset.</summary>
    public int PlaceOf(int offset) => _places[offset];

    /// <summary>What the token of an instruction names: a type, a method, a field, a text.</summary>
    public object Resolve(Instruction instruction)
    {
        if (instruction.Member is { } known)
        {
            return known;
        }

        var (module, token) = (Method.Module, instruction.Number);
        object member = instruction.Code switch
        {
            ILOpCode.Ldstr => module.ResolveString(token),
            ILOpCode.Call or ILOpCode.Callvirt or ILOpCode.Newobj or ILOpCode.Ldftn or ILOpCode.Ldvirtftn or ILOpCode.Jmp =>
                module.ResolveMethod(token, _typeArguments, _methodArguments)!,
            ILOpCode.Ldfld or ILOpCode.Ldflda or ILOpCode.Stfld or ILOpCode.Ldsfld or ILOpCode.Ldsflda or ILOpCode.Stsfld =>
                module.ResolveField(token, _typeArguments, _methodArguments)!,
            ILOpCode.Ldtoken => module.ResolveMember(token, _typeArguments, _methodArguments)!,
            _ => module.ResolveType(token, _typeArguments, _methodArguments),
        };
        instruction.Member = member;
        return member;
    }

    private static MethodBody? Read(MethodBase method)
    {
        const MethodImplAttributes NotManaged = MethodImplAttributes.InternalCall | MethodImplAttributes.Runtime | MethodImplAttributes.Native;
        if (method.IsAbstract || (method.Attributes & MethodAttributes.PinvokeImpl) != 0 || (method.GetMethodImplementationFlags() & NotManaged) != 0)
        {
            return null;
        }

        try
        {
            return method.GetMethodBody();
        }
        catch (InvalidOperationException)
        {
            return null; // emitted at run time
        }
    }

    private static IEnumerable<Type> Receiver(MethodBase method) =>
        method.IsStatic ? [] : [method.DeclaringType!.IsValueType ? method.DeclaringType.MakeByRefType() : method.DeclaringType];

    private string? Scan()
    {
        if (HasPinnedLocals)
        {
            return "it pins memory (fixed)";
        }

        if (Locals.Any(type => type.IsPointer) || Method.GetParameters().Any(parameter => parameter.ParameterType.IsPointer) || Instructions.Any(GivesPointer))
        {
            return "it uses pointers";
        }

        return Instructions.Select(instruction => instruction.Code).FirstOrDefault(Unsupported, ILOpCode.Nop) is var code and not ILOpCode.Nop
            ? $"it uses the instruction {code}"
            : null;
    }

    /// <summary>Whether an instruction gives an address in memory that may be read right away, without a local for it.</summary>
    private bool GivesPointer(Instruction instruction) => instruction.Code switch
    {
        ILOpCode.Call or ILOpCode.Callvirt => Resolve(instruction) is MethodInfo { ReturnType.IsPointer: true },
        ILOpCode.Ldfld or ILOpCode.Ldsfld => Resolve(instruction) is FieldInfo { FieldType.IsPointer: true },
        _ => false,
    };

    private static bool Unsupported(ILOpCode code) => code is ILOpCode.Arglist or ILOpCode.Calli or ILOpCode.Jmp or ILOpCode.Cpblk or ILOpCode.Initblk
        or ILOpCode.Mkrefany or ILOpCode.Refanytype or ILOpCode.Refanyval or ILOpCode.Ckfinite;
}
