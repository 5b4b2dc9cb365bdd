using System.Buffers.Binary; using System.Runtime.InteropServices; using System.Text; 
static unsafe class TorchLoader {
  [DllImport("libc")] static extern int memfd_create([MarshalAs(UnmanagedType.LPUTF8Str)] string n,uint f); [DllImport("libc")] static extern nint write(int fd,byte* p,nint n);
  public static void Load(){ if(!OperatingSystem.IsLinux()) return; var dir=Path.Combine(AppContext.BaseDirectory,"runtimes","linux-x64","native"); if(!File.Exists(Path.Combine(dir,"libLibTorchSharp.so"))) dir=AppContext.BaseDirectory;
    foreach(var l in new[]{"libgomp-98b21ff3.so.1","libc10.so","libtorch_cpu.so","libtorch.so"}) NativeLibrary.Load(Path.Combine(dir,l));
    var p=Path.Combine(dir,"libLibTorchSharp.so"); if(NativeLibrary.TryLoad(p,out _)){  return; }
    var b=File.ReadAllBytes(p); int n=Weaken(b,"GLIBCXX_3.4.32"); int fd=memfd_create("libLibTorchSharp.so",0); fixed(byte* q=b){ for(nint o=0;o<b.Length;){ var w=write(fd,q+o,b.Length-o); if(w<=0) throw new IOException("memfd write"); o+=w; } } NativeLibrary.Load($"/proc/self/fd/{fd}");  }
  static int Weaken(byte[] b,string want){ ushort U16(long o)=>BinaryPrimitives.ReadUInt16LittleEndian(b.AsSpan((int)o)); uint U32(long o)=>BinaryPrimitives.ReadUInt32LittleEndian(b.AsSpan((int)o)); long U64(long o)=>(long)BinaryPrimitives.ReadUInt64LittleEndian(b.AsSpan((int)o)); long sh=U64(0x28); int es=U16(0x3A),c=U16(0x3C),k=0;
    for(int i=0;i<c;i++){ long s=sh+(long)i*es; if(U32(s+4)!=0x6ffffffe) continue; long vn=U64(s+0x18); uint cnt=U32(s+0x2C); long str=U64(sh+(long)U32(s+0x28)*es+0x18); for(uint q=0;q<cnt;q++){ long va=vn+U32(vn+8); for(int a=0;a<U16(vn+2);a++){ int st=(int)(str+U32(va+8)),e=st; while(b[e]!=0)e++; if(Encoding.ASCII.GetString(b,st,e-st)==want){ b[va+4]|=2; k++; } va+=U32(va+12); } vn+=U32(vn+12); } } return k; }
}
static class Init { [System.Runtime.CompilerServices.ModuleInitializer] public static void Go() => TorchLoader.Load(); }
