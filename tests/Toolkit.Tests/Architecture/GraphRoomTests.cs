using System.Reflection;
using System.Reflection.Metadata;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Toolkit.Graphs;
using Toolkit.Graphs.Capture;
using Toolkit.Graphs.Cpu;
using Toolkit.Graphs.Il;
using Toolkit.Graphs.Passes;

namespace Toolkit.Tests.Architecture;

/// <summary>
/// Inside the room Graphs, too, data flows one way: a program is interpreted, its calls become operators, passes simplify them, libtorch and kernels run them, gradients and captures are made of
/// that, and files of captures. What stands in no inner room is the vocabulary (Graph, Node, Shape) and the facade (Compile), which sees them all.
/// </summary>
public sealed partial class GraphRoomTests
{
    private static readonly Dictionary<string, int> Tiers = new()
    {
        ["Il"] = 0,
        ["Operators"] = 0,
        ["Text"] = 0,
        ["Passes"] = 1,
        ["Cost"] = 2,
        ["Dispatch"] = 2,
        ["Cpu"] = 3,
        ["Autograd"] = 4,
        ["Capture"] = 5,
        ["Onnx"] = 6,
        ["Export"] = 7,
    };

    private static readonly Dictionary<string, string> RoomOf = Rooms();

    [Fact]
    public void Every_folder_has_a_tier()
    {
        Assert.Equal(Tiers.Keys.Order(), Directory.GetDirectories(Folder()).Select(folder => Path.GetFileName(folder)!).Order());
        Assert.True(RoomOf.Count > 300, $"{RoomOf.Count} types were found");
    }

    [Fact]
    public void An_inner_room_uses_only_those_of_lower_tiers()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var type in typeof(Graph).Assembly.GetTypes())
        {
            if (Room(type) is not { } room)
            {
                continue;
            }

            foreach (var used in Used(type))
            {
                if (Room(used) is { } other && other != room && Tiers[other] >= Tiers[room])
                {
                    wrong.Add($"{Outermost(type).Name} ({room}, tier {Tiers[room]}) uses {Outermost(used).Name} ({other}, tier {Tiers[other]})");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public void The_scan_sees_fields_signatures_and_code()
    {
        Assert.Equal("Export", Room(typeof(ArtifactSaver)));
        var used = Used(typeof(ArtifactSaver)).ToArray();
        Assert.Contains(typeof(ArtifactWeights), used); // a field
        Assert.Contains(typeof(Specialization), used); // an argument of a generic parameter
        Assert.Contains(typeof(Functionalization), used); // made in a method
        Assert.Contains(typeof(KernelAssembly), used); // whose property is read
    }

    /// <summary>What a type is made of, and what its code names.</summary>
    private static IEnumerable<Type> Used(Type type)
    {
        const BindingFlags All = BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        IEnumerable<Type?> used =
        [
            type.BaseType,
            .. type.GetInterfaces(),
            .. type.GetFields(All).Select(field => field.FieldType),
            .. type.GetMethods(All).SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType)),
            .. type.GetConstructors(All).SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType)),
            .. type.GetMethods(All).Concat<MethodBase>(type.GetConstructors(All)).SelectMany(Named),
        ];
        return used.OfType<Type>().SelectMany(Parts).Distinct();
    }

    private static IEnumerable<Type?> Named(MethodBase method)
    {
        foreach (var instruction in InstructionReader.Read(method.GetMethodBody()?.GetILAsByteArray() ?? []))
        {
            if (instruction.Code is ILOpCode.Call or ILOpCode.Callvirt or ILOpCode.Newobj or ILOpCode.Ldftn or ILOpCode.Ldvirtftn or ILOpCode.Ldfld or ILOpCode.Ldflda or ILOpCode.Stfld or ILOpCode.Ldsfld
                or ILOpCode.Ldsflda or ILOpCode.Stsfld or ILOpCode.Castclass or ILOpCode.Isinst or ILOpCode.Ldtoken or ILOpCode.Newarr or ILOpCode.Box or ILOpCode.Unbox_any or ILOpCode.Initobj)
            {
                var member = method.Module.ResolveMember((int)instruction.Integer, method.DeclaringType?.GetGenericArguments(), method is MethodInfo { IsGenericMethod: true } ? method.GetGenericArguments() : null);
                yield return member as Type ?? member!.DeclaringType;
                foreach (var argument in member is MethodInfo { IsGenericMethod: true } called ? called.GetGenericArguments() : [])
                {
                    yield return argument;
                }
            }
        }
    }

    private static IEnumerable<Type> Parts(Type type) =>
        type.HasElementType ? Parts(type.GetElementType()!) : type.IsGenericType ? type.GetGenericArguments().SelectMany(Parts).Append(type.GetGenericTypeDefinition()) : [type];

    private static string? Room(Type type) => RoomOf.GetValueOrDefault($"{Outermost(type).Namespace}.{Outermost(type).Name.Split('`')[0]}");

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    /// <summary>For each type, by its full name, the folder of its file.</summary>
    private static Dictionary<string, string> Rooms()
    {
        var rooms = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var file in Directory.GetDirectories(Folder()).SelectMany(folder => Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)))
        {
            var source = File.ReadAllText(file);
            foreach (Match match in Declared().Matches(source))
            {
                rooms[$"{Namespace().Match(source).Groups[1].Value}.{match.Groups[1].Value}"] = Path.GetRelativePath(Folder(), file).Split(Path.DirectorySeparatorChar)[0];
            }
        }

        return rooms;
    }

    private static string Folder([CallerFilePath] string path = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "..", "Toolkit", "Graphs"));

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^(?:public|internal) (?:[a-z]+ )*?(?:class|record struct|record|struct|interface|enum) (\w+)", RegexOptions.Multiline)]
    private static partial Regex Declared();
}
